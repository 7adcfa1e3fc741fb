//! A repository against a plain model of it, through whatever may happen to it: takes, confirmations, restores, prunes,
//! pushes, clocks that are wrong, two databases, lost ones that are made anew, damage.
//!
//! The law: no operation ever removes or outranks the only good state of any moment that a rule promises to keep. It is
//! judged by the true time, which the model alone knows.

// Clippy knows the functions with #[test] for tests, but not what they call.
#![allow(clippy::unwrap_used)]
// A test that fails says at which step, and one that is skipped says why.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod clock;
mod model;
#[path = "../preload/mod.rs"]
mod preload;
mod step;
mod world;

use std::env;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use step::any_step;
use world::World;

/// Sequences of steps, unless MODEL_SEQUENCES says how many.
const SEQUENCES: u32 = 250;

#[test]
fn no_step_removes_or_outranks_what_a_rule_promises_to_keep() {
    if !clock::runs_under_it() {
        return clock::run_under_it("no_step_removes_or_outranks_what_a_rule_promises_to_keep");
    }
    let asked: Option<u32> = env::var("MODEL_SEQUENCES").ok().map(|text| text.parse().expect("a number"));
    let config = Config { cases: asked.unwrap_or(SEQUENCES), failure_persistence: None, ..Config::default() };
    // Always the same, so that it tells of a change and of nothing else; others each time where somebody looks for more.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = if asked.is_some() { TestRunner::new(config) } else { TestRunner::new_with_rng(config, rng) };
    let result = runner.run(&prop::collection::vec(any_step(), 1..24), |steps| {
        let mut world = World::new();
        for (number, step) in steps.iter().enumerate() {
            world.perform(step).map_err(|fault| TestCaseError::fail(format!("step {}: {fault}", number + 1)))?;
        }
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
