// Sources of definitions only; nothing is compiled.
module lab.local/toolchain/router-definitions

go 1.26.0

require istio.io/api v1.31.1
