declare module "parse-prometheus-text-format" {
  /** A series of a metric whose type is not declared. */
  interface ParsedSeries {
    value: string;
    labels?: Record<string, string>;
    timestamp_ms?: string;
  }

  export default function parsePrometheusTextFormat(text: string): { name: string; metrics: ParsedSeries[] }[];
}
