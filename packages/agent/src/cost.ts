/** What a rollout is charged for, in the price of one bad request. Lower is better. */
export interface Prices {
  /** A bad request more than a good version would have had. */
  excessBad: number;
  /** A step without a decision: neither promoted nor aborted. */
  step: number;
  /** A good version that was aborted. */
  falseAbort: number;
  /** A good version that is not promoted when the horizon ends. */
  notPromoted: number;
}

/** Ten seconds of waiting weigh as much as one failed request; a good release that does not get through as much as a hundred. */
export const defaultPrices: Prices = { excessBad: 1, step: 1, falseAbort: 100, notPromoted: 100 };

/** Steps of a rollout and of the time after it that is charged: harm after a promotion counts until then. */
export const defaultHorizon = 100;

/** Seconds between two decisions. */
export const defaultStepSeconds = 10;
