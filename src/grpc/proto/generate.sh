#!/bin/sh
# Writes src/grpc/generated from the .proto files here, and the digests by which a test sees that neither was edited alone.
# The generator is fetched for the occasion, as its compiler is large and nobody but an editor of these files needs it.
set -eu
cd "$(dirname "$0")"
npm exec --yes --package=@bufbuild/buf@1.75.0 --package=@bufbuild/protoc-gen-es@2.17.0 -- buf generate
cd ..
find proto generated \( -name '*.proto' -o -name '*_pb.ts' \) | LC_ALL=C sort | xargs sha256sum > generated/SHA256SUMS
