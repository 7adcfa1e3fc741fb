//! Exit codes of the program. They are part of its interface: scripts and CI depend on them.

/// All scenarios came out as expected: they passed, or failed exactly as those say that show a limit.
pub(crate) const PASS: u8 = 0;
/// An objective was missed or acknowledged data was lost where that was not expected, or a limit that a scenario shows
/// was not met. Of `compare`: a regression.
pub(crate) const FAIL: u8 = 1;
/// The command line could not be understood. Of `compare`: no such run, or runs that cannot be compared.
pub(crate) const USAGE: u8 = 2;
/// A preflight check refused; nothing was broken.
pub(crate) const PREFLIGHT: u8 = 3;
/// Stopped half-way by a signal or an error; everything was cleaned up.
pub(crate) const ABORTED: u8 = 4;
/// The clean-up did not succeed; the output says what is left and how to remove it.
pub(crate) const CLEANUP_FAILED: u8 = 5;
/// The drill could not establish a verdict.
pub(crate) const INCONCLUSIVE: u8 = 6;

/// The table shown under `--help`.
pub(crate) const HELP: &str = "Exit codes:
  0  pass, or failed exactly as a scenario that shows a limit says
  1  objective missed or data lost, or such a scenario came out otherwise
  2  usage
  3  preflight refused, nothing was broken
  4  aborted, cleaned up
  5  clean-up failed
  6  inconclusive";

/// The code of several scenarios run one after the other: the one that most needs a person.
pub(crate) fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    const GRAVITY: [u8; 7] = [CLEANUP_FAILED, ABORTED, PREFLIGHT, USAGE, FAIL, INCONCLUSIVE, PASS];
    let rank = |code: &u8| GRAVITY.iter().position(|known| known == code).unwrap_or(0);
    codes.into_iter().min_by_key(rank).unwrap_or(PASS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outranks_a_pass_and_a_failed_clean_up_outranks_all() {
        assert_eq!(worst([PASS, PASS]), PASS);
        assert_eq!(worst([PASS, FAIL, INCONCLUSIVE]), FAIL);
        assert_eq!(worst([FAIL, CLEANUP_FAILED, ABORTED]), CLEANUP_FAILED);
        assert_eq!(worst([INCONCLUSIVE, PASS]), INCONCLUSIVE);
    }
}
