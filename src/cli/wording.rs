//! The flags for the wording of examples and the choice of answers.

use std::str::FromStr;

use anyhow::bail;
use clap::Args;

use super::help;
use promptshift_tensors::network::Config;
use promptshift_text::domain::card::Card;
use promptshift_text::domain::variant::Variant;
use promptshift_text::domain::wording::{ScoreBy, Template, Verbalizer, Wording};

/// Flags of every command that queries a model; all are for a T5.
#[derive(Debug, Args)]
#[command(next_help_heading = help::EVALUATION)]
pub struct Flags {
    /// How an answer is chosen: generation, likelihood or calibrated.
    ///
    /// generation: the text that the model generates, as in the paper. likelihood: the class whose words are
    /// most probable. calibrated: likelihood divided by that for inputs without content (Zhao et al. 2021).
    /// The last two need a domain with labels. For a T5 only, like --verbalizer and --template, except that a
    /// BERT with its masked-word head ranks classes by the likelihood of their words at a mask.
    #[arg(long, value_name = "WAY")]
    score_by: Option<Way>,
    /// Words for the source's classes, instead of its label strings.
    ///
    /// A name in its card ([verbalizers.NAME] in datasets/*.toml), or a TOML file with [words].
    #[arg(long, value_name = "NAME|FILE")]
    verbalizer: Option<String>,
    /// The text around an example's fields, instead of T5's own.
    ///
    /// {soft:N} places vectors of a soft prompt inside it. A name from `promptshift list templates`, or a file like
    /// datasets/templates/*.toml.
    #[arg(long, value_name = "NAME|FILE")]
    template: Option<String>,
}

/// `--score-by`.
#[derive(Debug, Clone, Copy)]
struct Way(ScoreBy);

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |way: &ScoreBy| way.name() == text;
        let wanted = || {
            let names = ScoreBy::ALL.map(ScoreBy::name).join(", ");
            format!("wanted one of {names}, found '{text}'")
        };
        ScoreBy::ALL
            .into_iter()
            .find(named)
            .map(Way)
            .ok_or_else(wanted)
    }
}

impl Flags {
    /// The wording for a model that was or will be tuned on `source`; `known` applies where no flag is given.
    ///
    /// # Errors
    /// A name or file does not exist, or the wording does not fit one of the domains.
    pub fn wording(
        &self,
        known: Wording,
        source: &Card,
        targets: &[&Card],
    ) -> anyhow::Result<Wording> {
        let verbalizer = self.verbalizer.as_deref();
        let verbalizer = verbalizer
            .map(|text| Verbalizer::find(text, source))
            .transpose()?;
        let template = self.template.as_deref().map(Template::find).transpose()?;
        let wording = Wording {
            score_by: self.score_by.map_or(known.score_by, |Way(way)| way),
            verbalizer: verbalizer.or(known.verbalizer),
            template: template.or(known.template),
            opening: known.opening,
        };
        wording.check(source)?;
        for card in targets {
            wording.check(card)?;
        }
        Ok(wording)
    }
}

/// Checks that this kind of network supports the wording: a T5 supports all, a BERT the likelihood of words
/// at a mask, any other only its own format; and that it supports the templates of the given domains.
///
/// # Errors
/// It does not support them.
pub fn check_kind(wording: &Wording, asked: &[&Card], config: &Config) -> anyhow::Result<()> {
    let in_template = |card: &&&Card| matches!(card.variant, Some(Variant::Template(_)));
    if let Some(card) = asked
        .iter()
        .find(in_template)
        .filter(|_| config.t5().is_none())
    {
        bail!(
            "{}: only a T5 reads templates, and the model is {}; wanted '{}', or a variant of its surface",
            card.name,
            config.kind(),
            card.base()
        );
    }
    let of_words = wording.template.is_none() && wording.score_by == ScoreBy::Likelihood;
    let flag = match wording {
        _ if config.t5().is_some() || wording.is_default() => return Ok(()),
        _ if of_words && matches!(config, Config::Bert(_)) => return Ok(()),
        wording if wording.template.is_some() => "--template",
        wording if wording.verbalizer.is_some() => "--verbalizer",
        _ => "--score-by",
    };
    bail!(
        "{flag}: it is for a T5, and the model is {}; leave it out{}",
        config.kind(),
        match config {
            Config::Bert(_) => ", or use --score-by likelihood without a template",
            Config::T5(_) | Config::DecoderOnly(_) => "",
        }
    )
}
