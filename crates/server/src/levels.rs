//! `privacy.noise_levels`: at which numbers of drop-outs noise that nobody asked for is taken off the sum again.

use serde::{Deserialize, Serialize};
use tacita_privacy::{FoundLevels, NoiseLevels};

/// Levels as an operator states them; absent: none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NoiseLevelsSetting {
    /// `"auto"`: found for n, m and c.
    Found(Auto),
    /// Rising numbers of drop-outs, the last of them n - m.
    Given(Vec<u32>),
}

/// The word `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auto {
    /// Few levels that leave little more than planned.
    Auto,
}

impl NoiseLevelsSetting {
    /// The levels for n, m and c; none if no drop-out is tolerated, or too little noise is added for any.
    ///
    /// # Errors
    /// What the operator can do about it.
    pub(crate) fn dropouts(&self, (n, m, c): (u32, u32, u32)) -> Result<Vec<u32>, String> {
        match self {
            Self::Given(levels) => Ok(levels.clone()),
            Self::Found(Auto::Auto) => match FoundLevels::find(n, m, c) {
                Some(found) if found.meets_target() => Ok(found.dropouts),
                Some(found) => Err(format!(
                    "{} levels leave up to {} thousandths of noise too much, \"auto\" allows {}: raise minimum_survivors, or \
                     give the levels, such as {:?}",
                    NoiseLevels::MAX,
                    found.excess_per_mille,
                    NoiseLevels::TARGET_PER_MILLE,
                    found.dropouts,
                )),
                None => Err("needs colluders below the minimum of survivors".to_owned()),
            },
        }
    }
}

/// As a command line states them: `off`, `auto`, or numbers joined by commas.
///
/// # Errors
/// What was expected.
pub fn parse_noise_levels(text: &str) -> Result<Option<NoiseLevelsSetting>, String> {
    match text {
        "off" => Ok(None),
        "auto" => Ok(Some(NoiseLevelsSetting::Found(Auto::Auto))),
        _ => tacita_privacy::parse_dropouts(text)
            .map(|levels| Some(NoiseLevelsSetting::Given(levels)))
            .ok_or_else(|| "expected off, auto, or rising numbers of drop-outs joined by commas".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_file_are_read() {
        #[derive(Deserialize)]
        struct Section {
            noise_levels: NoiseLevelsSetting,
        }
        let read = |text: &str| toml::from_str::<Section>(text).map(|section| section.noise_levels);
        assert_eq!(
            read("noise_levels = \"auto\"").unwrap(),
            NoiseLevelsSetting::Found(Auto::Auto)
        );
        assert_eq!(
            read("noise_levels = [1, 5]").unwrap(),
            NoiseLevelsSetting::Given(vec![1, 5])
        );
        assert!(read("noise_levels = \"on\"").is_err());
    }

    #[test]
    fn automatic_levels_keep_the_promise_or_say_what_to_do() {
        let auto = parse_noise_levels("auto").unwrap().unwrap();
        let found = auto.dropouts((20, 16, 1)).unwrap();
        assert_eq!(found.last(), Some(&4));
        assert!(auto.dropouts((20, 20, 1)).unwrap().is_empty());
        let refused = auto.dropouts((100, 20, 1)).unwrap_err();
        assert!(refused.contains("raise minimum_survivors"), "{refused}");
        assert_eq!(parse_noise_levels("off").unwrap(), None);
        assert!(parse_noise_levels("1, 2").is_err());
    }
}
