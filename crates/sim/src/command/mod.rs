//! The command line: what to play, and how to show it.

mod histories;
mod mishaps;
mod scale;
mod seeds;

use std::fmt::Display;
use std::io::Write;
use std::ops::Range;
use std::process::ExitCode;

use tacita_protocol::limits::{MAX_COHORT, MIN_COHORT};
use tacita_sim::faults::Mutant;

const HELP: &str = "\
Plays the simulated world and checks it.

  tacita-sim --seeds A..B [--mutant NAME] [--json]   seeds A to B - 1 of the faulty world, on all cores
  tacita-sim --seed N [--trace] [--mutant NAME]      one seed; --trace prints its history
  tacita-sim --exhaustive N [--json]                 all drop-out histories of N members, over five moments
  tacita-sim --mishaps [--json]                      every process of a round of four dies at every step, and again
                                                     at each of the first steps of its next life; every write fails
  tacita-sim --scale N [--json]                      an honest round of N members, and of 100, 300, ... below: bytes and
                                                     messages of a client
  tacita-sim --mutants                               names of the faults that can be put into the shells
  tacita-sim --help

  --threads N   threads to play on (default: all cores)
  --json        one JSON object at the end instead of text

Ends with `N passed, M failed`; the exit status is 1 if anything failed, 2 for a wrong command line.
";

/// What to do.
pub(crate) enum Task {
    Seeds(Range<u64>),
    Seed(u64),
    Exhaustive(usize),
    Mishaps,
    Scale(u16),
    Mutants,
    Help,
}

/// A command line.
pub(crate) struct Command {
    task: Task,
    trace: bool,
    json: bool,
    threads: usize,
    mutant: Mutant,
}

impl Command {
    /// Reads the arguments.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut task, mut trace, mut json, mut mutant) = (None, false, false, Mutant::None);
        let mut threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--seeds" => task = Some(Task::Seeds(range(&value()?)?)),
                "--seed" => task = Some(Task::Seed(number(&value()?)?)),
                "--exhaustive" => task = Some(Task::Exhaustive(number(&value()?)?)),
                "--mishaps" => task = Some(Task::Mishaps),
                "--scale" => task = Some(Task::Scale(cohort(&value()?)?)),
                "--mutants" => task = Some(Task::Mutants),
                "--help" | "-h" => task = Some(Task::Help),
                "--trace" => trace = true,
                "--json" => json = true,
                "--threads" => threads = number::<usize>(&value()?)?.max(1),
                "--mutant" => {
                    let name = value()?;
                    mutant = Mutant::named(&name).ok_or(format!("there is no mutant '{name}'"))?;
                }
                other => return Err(format!("unknown argument '{other}'")),
            }
        }
        let task = task.ok_or("say what to play")?;
        Ok(Self {
            task,
            trace,
            json,
            threads,
            mutant,
        })
    }

    /// Does it.
    pub(crate) fn run(&self, out: &mut impl Write) -> ExitCode {
        let done = match &self.task {
            Task::Seeds(range) => seeds::many(self, range.clone(), out),
            Task::Seed(seed) => seeds::one(self, *seed, out),
            Task::Exhaustive(members) => histories::all(self, *members, out),
            Task::Mishaps => mishaps::all(self, out),
            Task::Scale(cohort) => scale::rounds(self, *cohort, out),
            Task::Mutants => Mutant::ALL
                .iter()
                .try_for_each(|(_, name, checkers)| {
                    writeln!(out, "{name}, which {} has to see", checkers.join(" or "))
                })
                .map(|()| true),
            Task::Help => out.write_all(HELP.as_bytes()).map(|()| true),
        };
        match done {
            Ok(true) => ExitCode::SUCCESS,
            // A reader that went away is no failure of the seeds, and no success either.
            Ok(false) | Err(_) => ExitCode::FAILURE,
        }
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    pub(crate) fn json(&self) -> bool {
        self.json
    }

    pub(crate) fn trace(&self) -> bool {
        self.trace
    }

    pub(crate) fn mutant(&self) -> Mutant {
        self.mutant
    }
}

/// Says what is wrong with the command line.
pub(crate) fn usage(out: &mut impl Write, message: &str) -> ExitCode {
    let _ = write!(out, "{message}\n\n{HELP}");
    ExitCode::from(2)
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: Display,
{
    text.parse().map_err(|e| format!("'{text}' is not a number: {e}"))
}

/// What a manifest may invite: said before the smaller cohorts are played, which takes minutes.
fn cohort(text: &str) -> Result<u16, String> {
    let members = number(text)?;
    if (MIN_COHORT..=MAX_COHORT).contains(&members) {
        Ok(members)
    } else {
        Err(format!(
            "a cohort has {MIN_COHORT} to {MAX_COHORT} members, not {members}"
        ))
    }
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or(format!("'{text}' is not A..B"))?;
    let (from, to) = (number(from)?, number(to)?);
    if from < to {
        Ok(from..to)
    } else {
        Err(format!("there are no seeds in '{text}'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failure: a cohort that no manifest can have is found out after the cohorts below it, or by a panic.
    #[test]
    fn no_cohort_is_played_that_the_protocol_refuses() {
        let parse = |members: &str| Command::parse(["--scale", members].map(String::from).into_iter());
        for refused in ["0", "2", "10001", "65535"] {
            let message = parse(refused).map(|_| ()).unwrap_err();
            assert_eq!(message, format!("a cohort has 3 to 10000 members, not {refused}"));
        }
        assert!(parse("65536").is_err() && parse("x").is_err());
        assert!(parse("3").is_ok() && parse("10000").is_ok());
    }
}
