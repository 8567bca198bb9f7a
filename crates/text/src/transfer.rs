//! A transfer: the source domain to train on and the target domains to evaluate on.
//!
//! Written `squad->textbookqa`; with several targets `squad->textbookqa,bioasq`; with `squad->all` for every
//! other domain of the source's task; `squad+newsqa->textbookqa` trains on a mixture of domains;
//! `squad->squad@typos` evaluates on a [variant](crate::domain::variant) of the source's own rows.
//! [`Catalogue::resolve`](crate::domain::catalogue::Catalogue::resolve) expands `all`.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::variant::AT;

/// The target that stands for every other domain of the source's task.
pub const ALL: &str = "all";

/// The separator of a mixture's domains.
pub const JOIN: char = '+';

/// Accepted arrows; the first one is displayed.
const ARROWS: [&str; 4] = ["->", "=>", "→", ":"];

/// From a source domain to target domains.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Transfer {
    /// The training domain, or several joined by [`JOIN`].
    pub source: String,
    /// The evaluation domains in the order requested, or only [`ALL`].
    pub targets: Vec<String>,
}

/// Why words are not a valid transfer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransferError {
    /// No words at all.
    #[error("no transfer: wanted SOURCE->TARGET[,TARGET...], as in 'squad->textbookqa'")]
    Empty,
    /// Not one source and its targets.
    #[error(
        "'{found}' is not a transfer: wanted SOURCE->TARGET[,TARGET...], as in 'squad->textbookqa'"
    )]
    Malformed {
        /// What was typed.
        found: String,
    },
    /// No source before the arrow.
    #[error("'{found}' names no source: wanted SOURCE->TARGET, as in 'squad->textbookqa'")]
    NoSource {
        /// What was typed.
        found: String,
    },
    /// No target after the arrow, or between two commas.
    #[error(
        "'{found}' lacks a target: wanted SOURCE->TARGET[,TARGET...], as in 'squad->textbookqa' \
         (with the quotes: an unquoted > is the shell's)"
    )]
    NoTarget {
        /// What was typed.
        found: String,
    },
    /// An invalid domain name.
    #[error(
        "'{name}' in '{found}' cannot be a domain's name: wanted letters, digits, '_', '-' or '.', and a variant \
         after '@' in a target alone"
    )]
    BadName {
        /// The invalid name.
        name: String,
        /// What was typed.
        found: String,
    },
    /// A `+` with nothing before or after it.
    #[error("'{found}' lacks a source beside '+': wanted SOURCE+SOURCE->TARGET")]
    NoMember {
        /// What was typed.
        found: String,
    },
    /// A domain is mixed with itself.
    #[error("source '{name}' is named twice: wanted each domain of a mixture once")]
    DoubledSource {
        /// The repeated domain.
        name: String,
    },
    /// The source is among the targets.
    #[error(
        "source and target are the same domain '{name}': wanted a target that is not trained on \
         (the source is evaluated in any case)"
    )]
    SameDomain {
        /// The domain on both sides.
        name: String,
    },
    /// A target is named twice.
    #[error("target '{name}' is named twice: wanted each target once")]
    DoubledTarget {
        /// The repeated domain.
        name: String,
    },
    /// `all` as a source, or beside other targets.
    #[error("'{found}': the word 'all' must be alone after the arrow, as in 'squad->all'")]
    MisplacedAll {
        /// What was typed.
        found: String,
    },
}

impl Transfer {
    /// Parses command-line words: `squad->textbookqa`, `squad=>textbookqa`, `squad→textbookqa`, `squad:textbookqa`,
    /// `squad textbookqa`. Targets are separated by commas, the sources of a mixture by `+`; spaces are allowed
    /// anywhere between names.
    pub fn parse(words: &[String]) -> Result<Transfer, TransferError> {
        let found = without_spaces_around(JOIN, words.join(" ").trim());
        if found.is_empty() {
            return Err(TransferError::Empty);
        }
        let (source, targets) = halves(&found)?;
        if source.is_empty() {
            return Err(TransferError::NoSource { found });
        }
        let targets: Vec<&str> = targets.split(',').map(str::trim).collect();
        if targets.iter().any(|target| target.is_empty()) {
            return Err(TransferError::NoTarget { found });
        }
        let sources: Vec<&str> = sources(source).collect();
        if sources.iter().any(|source| source.is_empty()) {
            return Err(TransferError::NoMember { found });
        }
        let is_target = |name: &str| match name.split_once(AT) {
            Some((name, variant)) => {
                [name, variant]
                    .iter()
                    .all(|part| !part.is_empty() && is_name(part))
                    && name != ALL
            }
            None => is_name(name),
        };
        let sources_are_named = sources.iter().map(|name| (name, is_name(name)));
        for (name, is_right) in
            sources_are_named.chain(targets.iter().map(|name| (name, is_target(name))))
        {
            if !is_right {
                return Err(TransferError::BadName {
                    name: name.to_string(),
                    found,
                });
            }
        }
        if sources.contains(&ALL) || (targets.len() > 1 && targets.contains(&ALL)) {
            return Err(TransferError::MisplacedAll { found });
        }
        for (position, source) in sources.iter().enumerate() {
            if sources[..position].contains(source) {
                let name = source.to_string();
                return Err(TransferError::DoubledSource { name });
            }
        }
        for (position, target) in targets.iter().enumerate() {
            let name = target.to_string();
            if sources.contains(target) {
                return Err(TransferError::SameDomain { name });
            }
            if targets[..position].contains(target) {
                return Err(TransferError::DoubledTarget { name });
            }
        }
        Ok(Transfer {
            source: source.to_string(),
            targets: targets.into_iter().map(str::to_string).collect(),
        })
    }

    /// The training domains.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        sources(&self.source)
    }

    /// Whether there are several training domains.
    pub fn is_of_mixture(&self) -> bool {
        self.sources().count() > 1
    }

    /// Whether the targets are [`ALL`].
    pub fn is_to_all(&self) -> bool {
        self.targets.iter().any(|target| target == ALL)
    }
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.source, ARROWS[0], self.targets.join(","))
    }
}

/// The single domains of a source name.
pub fn sources(name: &str) -> impl Iterator<Item = &str> {
    name.split(JOIN)
}

/// The transfer that the shell split at an unquoted `>`, if `argument` is the first half of one.
///
/// Unquoted, `squad->textbookqa` reaches the program as the argument `squad-`, with standard output
/// redirected to the file `textbookqa` (and `squad=>textbookqa` as `squad=`). `stdout_file` is that file's
/// name or path; only the last component is used. The catalogue checks whether the names are known.
pub fn shell_redirection(argument: &str, stdout_file: &str) -> Option<Transfer> {
    let argument = argument.trim();
    let source = argument
        .strip_suffix('-')
        .or_else(|| argument.strip_suffix('='))?;
    let targets = Path::new(stdout_file).file_name()?.to_str()?;
    Transfer::parse(&[format!("{source}{}{targets}", ARROWS[0])]).ok()
}

/// Source and targets, trimmed, as split by the first arrow or, without one, by white space.
fn halves(found: &str) -> Result<(&str, &str), TransferError> {
    let malformed = || TransferError::Malformed {
        found: found.to_string(),
    };
    let arrow = ARROWS
        .into_iter()
        .filter_map(|arrow| Some((found.find(arrow)?, arrow)))
        .min();
    let (source, targets) = match arrow {
        Some((at, arrow)) => (&found[..at], &found[at + arrow.len()..]),
        None => found
            .split_once(char::is_whitespace)
            .ok_or_else(malformed)?,
    };
    let (source, targets) = (source.trim(), targets.trim());
    let arrow_again = ARROWS.into_iter().any(|arrow| targets.contains(arrow));
    let space_in_name = source.contains(char::is_whitespace)
        || targets
            .split(',')
            .any(|target| target.trim().contains(char::is_whitespace));
    if arrow_again || space_in_name {
        return Err(malformed());
    }
    Ok((source, targets))
}

/// `a + b` as `a+b`.
fn without_spaces_around(sign: char, text: &str) -> String {
    let parts: Vec<&str> = text.split(sign).collect();
    let last = parts.len() - 1;
    let trimmed = parts.into_iter().enumerate().map(|(place, part)| {
        let part = if place > 0 { part.trim_start() } else { part };
        if place < last { part.trim_end() } else { part }
    });
    trimmed.collect::<Vec<_>>().join(&sign.to_string())
}

fn is_name(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn transfer(source: &str, targets: &[&str]) -> Transfer {
        Transfer {
            source: source.to_string(),
            targets: targets.iter().map(|t| t.to_string()).collect(),
        }
    }

    fn parse(words: &[&str]) -> Result<Transfer, TransferError> {
        let words: Vec<String> = words.iter().map(|w| w.to_string()).collect();
        Transfer::parse(&words)
    }

    #[test]
    fn every_spelling_of_one_target() {
        let wanted = transfer("squad", &["textbookqa"]);
        for words in [
            &["squad->textbookqa"][..],
            &["squad=>textbookqa"],
            &["squad→textbookqa"],
            &["squad:textbookqa"],
            &["squad", "textbookqa"],
            &["squad textbookqa"],
            &[" squad  ->  textbookqa "],
            &["squad", "->", "textbookqa"],
            &["squad->", "textbookqa"],
            &["squad", "→", "textbookqa"],
        ] {
            assert_eq!(parse(words), Ok(wanted.clone()), "{words:?}");
        }
    }

    #[test]
    fn every_spelling_of_several_targets() {
        let wanted = transfer("squad", &["textbookqa", "bioasq"]);
        for words in [
            &["squad->textbookqa,bioasq"][..],
            &["squad -> textbookqa , bioasq"],
            &["squad", "textbookqa,bioasq"],
            &["squad", "textbookqa,", "bioasq"],
        ] {
            assert_eq!(parse(words), Ok(wanted.clone()), "{words:?}");
        }
        assert_eq!(
            parse(&["squad->squad@typos, race@no-punctuation"]),
            Ok(transfer("squad", &["squad@typos", "race@no-punctuation"]))
        );
        let all = parse(&["squad->all"]);
        assert_eq!(all, Ok(transfer("squad", &["all"])));
        assert!(all.is_ok_and(|transfer| transfer.is_to_all()));
    }

    #[test]
    fn every_spelling_of_a_mixture() {
        let wanted = transfer("squad+newsqa", &["textbookqa"]);
        for words in [
            &["squad+newsqa->textbookqa"][..],
            &["squad + newsqa -> textbookqa"],
            &["squad + newsqa", "textbookqa"],
            &["squad+newsqa:textbookqa"],
            &["squad +newsqa textbookqa"],
        ] {
            assert_eq!(parse(words), Ok(wanted.clone()), "{words:?}");
        }
        let sources: Vec<&str> = wanted.sources().collect();
        assert_eq!(sources, ["squad", "newsqa"]);
    }

    #[test]
    fn an_invalid_transfer_states_what_was_found() {
        let found = |words: &[&str]| parse(words).map_err(|error| error.to_string());
        for (words, part) in [
            (&[][..], "no transfer"),
            (&["", " "], "no transfer"),
            (&["squad"], "'squad' is not a transfer"),
            (&["squad-"], "'squad-' is not a transfer"),
            (&["->"], "names no source"),
            (&["->textbookqa"], "'->textbookqa' names no source"),
            (&["squad->"], "'squad->' lacks a target"),
            (&["squad->a,,b"], "'squad->a,,b' lacks a target"),
            (&["squad->a,"], "lacks a target"),
            (&["squad->a->b"], "'squad->a->b' is not a transfer"),
            (&["squad", "a", "b"], "'squad a b' is not a transfer"),
            (&["one two->a"], "'one two->a' is not a transfer"),
            (&["squad->te/xt"], "'te/xt' in 'squad->te/xt'"),
            (&["squad->squad"], "same domain 'squad'"),
            (&["squad->a,squad"], "same domain 'squad'"),
            (&["squad->a,b,a"], "target 'a' is named twice"),
            (&["squad->all,a"], "'all' must be alone"),
            (&["all->squad"], "'all' must be alone"),
            (&["squad+all->race"], "'all' must be alone"),
            (&["squad+->race"], "lacks a source beside '+'"),
            (&["+squad->race"], "lacks a source beside '+'"),
            (&["squad+squad->race"], "source 'squad' is named twice"),
            (&["squad+race->race"], "same domain 'race'"),
            (&["squad->race+drop"], "'race+drop' in 'squad->race+drop'"),
            (
                &["squad@typos->race"],
                "'squad@typos' in 'squad@typos->race'",
            ),
            (&["squad->race@"], "'race@' in 'squad->race@'"),
            (&["squad->@typos"], "'@typos' in"),
            (&["squad->all@typos"], "'all@typos' in"),
            (&["squad->race@typos@typos"], "'race@typos@typos' in"),
        ] {
            let message = found(words).expect_err("is no transfer");
            assert!(message.contains(part), "{words:?}: {message}");
            assert!(
                message.contains("wanted") || message.contains("as in"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_shell_s_redirection_is_undone() {
        let textbookqa = Some(transfer("squad", &["textbookqa"]));
        assert_eq!(shell_redirection("squad-", "textbookqa"), textbookqa);
        assert_eq!(shell_redirection("squad-", "/tmp/x/textbookqa"), textbookqa);
        assert_eq!(shell_redirection("squad -", "textbookqa"), textbookqa);
        assert_eq!(shell_redirection("squad=", "textbookqa"), textbookqa);
        assert_eq!(
            shell_redirection("squad-", "textbookqa,bioasq"),
            Some(transfer("squad", &["textbookqa", "bioasq"]))
        );
        assert_eq!(
            shell_redirection("squad-", "all"),
            Some(transfer("squad", &["all"]))
        );
        assert_eq!(shell_redirection("squad", "textbookqa"), None);
        assert_eq!(shell_redirection("squad->textbookqa", "report.md"), None);
        assert_eq!(shell_redirection("-", "textbookqa"), None);
        assert_eq!(shell_redirection("squad-", "squad"), None);
        assert_eq!(shell_redirection("squad-", "/"), None);
        assert_eq!(shell_redirection("squad-", "two words"), None);
    }

    proptest! {
        #[test]
        fn parse_of_display_is_the_identity(
            names in proptest::collection::btree_set("[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", 3..7),
            mixed: bool,
        ) {
            let mut names: Vec<String> = names.into_iter().filter(|name| name != ALL).collect();
            prop_assume!(names.len() >= 3);
            let mut source = names.remove(0);
            if mixed {
                source = format!("{source}+{}", names.remove(0));
            }
            let transfer = Transfer { source, targets: names };
            prop_assert_eq!(Transfer::parse(&[transfer.to_string()]), Ok(transfer));
        }

        #[test]
        fn any_words_are_parsed_or_refused(words in proptest::collection::vec(".{0,12}", 0..4)) {
            if let Ok(transfer) = Transfer::parse(&words) {
                prop_assert_eq!(Transfer::parse(&[transfer.to_string()]), Ok(transfer));
            }
        }
    }
}
