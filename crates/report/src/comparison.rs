//! The analysis of a study: its results and the numbers of every section.
//!
//! For method f, source s and target t, with M the main metric (a ratio of sums over the domain's examples) averaged
//! over seeds:
//!
//! - gap `G_t(f) = M_s(f) - M_t(f)`: positive is a loss;
//! - difference on a domain `M_t(f) - M_t(model)`;
//! - difference in gaps `G_t(f) - G_t(model)`: negative means that the method loses less than model tuning;
//! - means over targets average the targets' values; examples are never pooled.
//!
//! Every value has a 95 % interval from the same resamples ([`promptshift_numbers::stats::bootstrap`]).

use serde::Serialize;

use crate::error::ReportError;
use crate::resamples::Resamples;
use crate::results::Results;
use crate::sections::calibration::{self, MethodCalibration};
use crate::sections::cautions::{self, Caution};
use crate::sections::differences::{self, AgainstModel, Difference};
use crate::sections::groups::{self, DomainGroups};
use crate::sections::k_shot::{self, KShots};
use crate::sections::matched::{self, Matched, Unmatched};
use crate::sections::paths::{self, Path};
use crate::sections::published::models::{self, PublishedLine};
use crate::sections::ranking::{self, MethodRanking};
use crate::sections::robustness::{self, Retention, Robustness};
use crate::sections::runs::{self, RightAnswers, Spread};
use crate::sections::scales::{self, OnScale};
use crate::sections::search::{self, MethodSearch};
use crate::sections::verdict::{self, Evidence, Verdict};
use crate::study::Study;
use promptshift_numbers::recipe::Method;

/// The analysis of one study. Scores are in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The scores of each method on each domain.
    #[serde(flatten)]
    pub results: Results,
    /// Prompt tuning minus model tuning, if both have records.
    pub difference: Option<Difference>,
    /// Tests, detectable effects and further statistics.
    pub statistics: Statistics,
    /// Few-shot scores on each target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k_shots: Option<KShots>,
    /// The verdict on each tuned method's gap compared with model tuning's.
    pub verdict: Vec<Verdict>,
    /// The answer in a few sentences.
    pub answer: Vec<String>,
    /// Limits of the comparison.
    pub cautions: Vec<Caution>,
}

/// The statistics of one study. Scores are in [0, 1], domains in the order of [`Results::domains`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// Every other tuned method compared with model tuning; empty if model tuning has no records.
    pub against_model: Vec<AgainstModel>,
    pub runs: RightAnswers,
    /// The share of its source score that each method retains.
    pub retention: Vec<Retention>,
    /// The standard error of each score, by its source.
    pub spreads: Vec<Spread>,
    /// Whether the methods' confidence is calibrated.
    pub calibration: Vec<MethodCalibration>,
    /// Whether the methods rank two classes, wherever the threshold is.
    pub ranking: Vec<MethodRanking>,
    /// The searches for recipes.
    pub searches: Vec<MethodSearch>,
    /// Scores of groups of examples.
    pub groups: Vec<DomainGroups>,
    /// The methods of `against_model` compared with model tuning stopped at the same source score.
    pub matched: Vec<Matched>,
    /// Those that could not be matched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<Unmatched>,
    /// The methods' losses minus model tuning's, on each scale.
    pub scales: Vec<Vec<OnScale>>,
    /// Scores at checkpoints.
    pub paths: Vec<Path>,
    /// Prompt tuning compared with the line of model tuning, on each target.
    pub robustness: Vec<Robustness>,
    /// The methods beside published models, on each target that these were scored on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub published: Vec<PublishedLine>,
}

impl Comparison {
    /// The numbers behind its verdicts.
    pub fn evidence(&self) -> Evidence<'_> {
        evidence(&self.results, &self.statistics)
    }
}

fn evidence<'a>(results: &'a Results, statistics: &'a Statistics) -> Evidence<'a> {
    Evidence {
        results,
        tests: &statistics.against_model,
        matched: &statistics.matched,
        unmatched: &statistics.unmatched,
        scales: &statistics.scales,
        ranking: &statistics.ranking,
    }
}

/// Analyses a study.
///
/// # Errors
/// Its records contradict each other.
pub fn compare(study: &Study) -> Result<Comparison, ReportError> {
    let resamples = Resamples::of(study);
    let results = Results::of(&resamples);
    let against_model = differences::against_model(&resamples);
    let compared: Vec<Method> = against_model.iter().map(|tests| tests.method).collect();
    let (matched, unmatched) = matched::matched(&resamples, &compared);
    let statistics = Statistics {
        against_model,
        matched,
        unmatched,
        scales: scales::scales(&resamples, &results, &compared),
        paths: paths::paths(&resamples),
        runs: runs::right_answers(study),
        retention: robustness::retention(&resamples),
        spreads: runs::spreads(&resamples),
        calibration: calibration::calibrations(&resamples),
        ranking: ranking::rankings(&resamples),
        searches: search::searches(study),
        groups: groups::groups(&resamples),
        robustness: robustness::robustness(&resamples),
        published: models::lines(&resamples, &results),
    };
    let difference = differences::difference(&statistics.against_model);
    let evidence = evidence(&results, &statistics);
    let verdict = evidence.verdicts();
    Ok(Comparison {
        k_shots: k_shot::k_shots(study, resamples.metric),
        answer: verdict::answer(evidence, &verdict),
        cautions: cautions::cautions(study, &results, difference.as_ref(), &statistics.searches),
        verdict,
        difference,
        statistics,
        results,
    })
}
