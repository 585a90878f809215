# Recipes for every day; CI runs `tests/run`, which is all of them.

# Everything that needs no running part.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# All tests, as CI runs them.
test:
    bash tests/run

# Simulator, engine, server and every fault, on loopback.
demo *args:
    cargo run --release -- demo {{args}}

# Rewrites the documents that are generated from the code.
docs:
    UPDATE_DOCS=1 cargo nextest run --workspace -E 'test(generated)'
