#!/usr/bin/env bash
# The pure crates must not reach a runtime, a socket, a database or a driver through anything that they depend on.
set -euo pipefail
bad=0
for crate in axon-scim axon-model axon-reconcile axon-mapping axon-audit; do
  tree=$(cargo tree --quiet --package "$crate" --edges normal --prefix none --format '{p}')
  for banned in tokio axum hyper sqlx reqwest tiberius rusqlite; do
    if grep -qE "^$banned(-[a-z]+)? v" <<<"$tree"; then
      echo "$crate is pure, yet it reaches $banned:" >&2
      cargo tree --quiet --package "$crate" --edges normal --invert "$banned" 2>/dev/null | head -20 >&2 || true
      bad=1
    fi
  done
done
# The TDS driver lives in `synapse`; the emulator's tests and the demo's observer are clients of their own on purpose.
for manifest in crates/*/Cargo.toml; do
  crate=$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -1)
  case $crate in axon-synapse | axon) continue ;; esac
  if sed -n '/^\[dependencies\]/,/^\[/p' "$manifest" | grep -q '^tiberius'; then
    echo "$crate may not use tiberius" >&2
    bad=1
  fi
done
stray=$(grep -rlE '\btiberius::' crates/axon/src | grep -v '^crates/axon/src/demo/observer.rs$' || true)
[ -z "$stray" ] || { echo "in the binary only the demo's observer may use tiberius: $stray" >&2; bad=1; }
# Which of our crates may use which, directly (docs/ARCHITECTURE.md shows the same table).
allowed() {
  case $1 in
    axon-scim | axon-model | axon-emulator) ;;
    axon-reconcile | axon-audit) echo axon-model ;;
    axon-mapping) echo axon-scim axon-model axon-reconcile ;;
    axon-store) echo axon-scim axon-model axon-reconcile axon-audit ;;
    axon-store-sql) echo axon-store axon-scim axon-model axon-reconcile axon-audit ;;
    axon-store-sqlite | axon-store-postgres) echo axon-store-sql axon-store axon-scim axon-model axon-reconcile axon-audit ;;
    axon-identity-token) echo axon-model ;;
    axon-synapse | axon-azure) echo axon-model axon-reconcile ;;
    axon-controller) echo axon-scim axon-model axon-mapping axon-reconcile axon-store axon-audit ;;
    axon-api) echo axon-scim axon-model axon-mapping axon-reconcile axon-audit axon-store axon-controller axon-identity-token ;;
    axon-console) echo axon-scim axon-model axon-mapping axon-reconcile axon-audit axon-store axon-controller axon-api ;;
    *) return 1 ;;
  esac
}
for manifest in crates/*/Cargo.toml; do
  crate=$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -1)
  rule=$(allowed "$crate") || continue
  used=$(sed -n '/^\[dependencies\]/,/^\[/p' "$manifest" | sed -n 's/^\(axon-[a-z-]*\)\.workspace.*/\1/p')
  for dependency in $used; do
    case " $(echo $rule) " in
      *" $dependency "*) ;;
      *) echo "$crate may not use $dependency" >&2; bad=1 ;;
    esac
  done
done
[ "$bad" = 0 ] && echo "the pure crates are pure, and each crate uses only what it may"
exit "$bad"
