//! The scenarios of a command line: by their names, or by flags of these names.

use clap::builder::EnumValueParser;
use clap::error::Error;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueEnum as _};

use super::selection::Selection;

/// What to run, in the order in which it was asked for.
pub(super) struct Scenarios(pub Vec<Selection>);

const NAMES: &str = "scenarios";

/// The flag of each scenario, but where an option has its name: `--stop-node COMMAND` says how.
fn flags<'a>(command: &'a Command) -> impl Iterator<Item = &'static str> + 'a {
    let names = Selection::value_variants().iter().map(Selection::name);
    names.filter(|name| command.get_arguments().all(|option| option.get_long() != Some(name)))
}

/// Flattened behind all options, since it has to know their names.
impl Args for Scenarios {
    fn augment_args(command: Command) -> Command {
        let flags: Vec<&str> = flags(&command).collect();
        let names = Arg::new(NAMES)
            .value_name("SCENARIO")
            .help("What to run; `drill list` explains")
            .action(ArgAction::Append)
            .num_args(1..)
            .required_unless_present_any(&flags)
            .value_parser(EnumValueParser::<Selection>::new());
        let flags = flags.into_iter().map(|name| Arg::new(name).long(name).action(ArgAction::SetTrue).hide(true));
        command.arg(names).args(flags)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Scenarios {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let named = matches.indices_of(NAMES).into_iter().flatten();
        let named = named.zip(matches.get_many(NAMES).into_iter().flatten().copied());
        let is_set = |name| matches.try_get_one(name).is_ok_and(|set| set == Some(&true));
        let flagged = Selection::value_variants().iter().filter(|selection| is_set(selection.name()));
        let flagged = flagged.filter_map(|selection| Some((matches.index_of(selection.name())?, *selection)));
        let mut chosen: Vec<(usize, Selection)> = named.chain(flagged).collect();
        chosen.sort_by_key(|(place, _)| *place);
        Ok(Self(chosen.into_iter().map(|(_, selection)| selection).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Line {
        #[arg(long)]
        json: bool,
        #[arg(long)]
        stop_node: Option<String>,
        #[command(flatten)]
        scenarios: Scenarios,
    }

    fn chosen(words: &[&str]) -> Vec<&'static str> {
        let line = Line::try_parse_from(words).unwrap();
        line.scenarios.0.iter().map(Selection::name).collect()
    }

    #[test]
    fn every_scenario_has_a_flag_but_where_an_option_has_its_name() {
        for name in Selection::value_variants().iter().map(Selection::name) {
            assert_eq!(chosen(&[name]), [name]);
            if name != "stop-node" {
                assert_eq!(chosen(&["--json", &format!("--{name}")]), [name]);
            }
        }
    }

    #[test]
    fn names_and_flags_are_run_in_the_order_in_which_they_stand() {
        let words = ["--kill-pvc", "human-error", "--json", "--kill-pod", "--stop-node", "docker kill", "full-disk"];
        assert_eq!(chosen(&words), ["kill-pvc", "human-error", "kill-pod", "full-disk"]);
        assert!(Line::try_parse_from(["--json"]).is_err(), "nothing is broken that was not asked for");
    }
}
