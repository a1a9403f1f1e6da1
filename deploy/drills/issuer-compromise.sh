#!/bin/sh
# Issuer compromise: an OIDC provider mints tokens for whom it should not. It is frozen at once; the others go on.
. "$(dirname "$0")/lib.sh"
issuer_up
issuers > mayfly.yaml
serve_up mayfly --config mayfly.yaml --data data

step 'both issuers serve'
expect 0 sign before "$url"
expect 0 sign build "$url" github

step 'freeze one: its tokens are refused, without a restart'
expect 0 $MAYFLY issuer freeze people --config mayfly.yaml --data data --reason 'mints tokens for anybody'
refused() { ! sign during "$url"; }
until_ok 10 refused
said 'does not trust the issuer'

step 'the other one is served, and what was signed before still verifies'
expect 0 sign build "$url" github
expect 0 verify before "$url"

step 'a restart does not thaw it'
stop "$pid"
serve_up again --config mayfly.yaml --data data
expect 2 sign during "$url"

step 'unfreeze: it is served again'
expect 0 $MAYFLY issuer unfreeze people --config mayfly.yaml --data data
until_ok 10 sign after "$url"
expect 0 verify after "$url"
