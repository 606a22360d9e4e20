//! How much a test does: the short form, which everybody runs, or the long one, which `TIDINGS_LONG_TESTS` asks for.

use proptest::test_runner::{Config, RngSeed};

/// Returns how many rounds a test runs: `short`, or `long` where `TIDINGS_LONG_TESTS` is set.
pub fn rounds<N>(short: N, long: N) -> N {
    if std::env::var_os("TIDINGS_LONG_TESTS").is_some() {
        long
    } else {
        short
    }
}

/// Returns the settings of a property test that runs `short` cases, or `long` ones where `TIDINGS_LONG_TESTS` is set.
///
/// The seed is fixed, so that a failure comes from a change and not from chance. `PROPTEST_RNG_SEED` sets another one.
pub fn cases(short: u32, long: u32) -> Config {
    let default = Config::default();
    let rng_seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(20_261_123),
        chosen @ RngSeed::Fixed(_) => chosen,
    };
    Config {
        cases: rounds(short, long),
        rng_seed,
        failure_persistence: None,
        ..default
    }
}
