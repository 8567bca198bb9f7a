//! The statistics behind a comparison: what may be chance, what could have been seen, what else
//! there is to a score than its mean.

pub mod answers;
pub mod budget;
pub mod groups;
pub mod line;
pub mod ranking;
pub mod runs;

use serde::Serialize;

use self::answers::MethodCalibration;
use self::budget::MethodSearch;
use self::groups::DomainGroups;
use self::line::Robustness;
use self::ranking::MethodRanking;
use self::runs::RightAnswers;
use super::comparison::Scores;
use super::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_numbers::stats::holm::holm;
use promptshift_numbers::stats::panel::Panel;
use promptshift_numbers::stats::permutation::SignFlip;
use promptshift_numbers::stats::winning;

/// The statistics of one study. Scores are in [0, 1], domains in the order of
/// [`Comparison::domains`](super::comparison::Comparison::domains).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// Every other tuned method against model tuning; empty where that has no records.
    pub against_model: Vec<AgainstModel>,
    /// Right answers run by run.
    pub runs: RightAnswers,
    /// What each method keeps of its source score.
    pub retention: Vec<Retention>,
    /// How far off a score may be, by why.
    pub spreads: Vec<Spread>,
    /// Whether the methods' confidence can be believed.
    pub calibration: Vec<MethodCalibration>,
    /// Whether the methods rank two classes, wherever the threshold stands.
    pub ranking: Vec<MethodRanking>,
    /// The searches for recipes.
    pub searches: Vec<MethodSearch>,
    /// Scores of groups of examples.
    pub groups: Vec<DomainGroups>,
    /// Prompt tuning against the line of model tuning, on each target.
    pub robustness: Vec<Robustness>,
}

/// One method against model tuning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgainstModel {
    /// The method.
    pub method: Method,
    /// On each domain.
    pub domains: Vec<DomainTest>,
    /// On average over targets.
    pub mean: MeanTest,
}

impl Statistics {
    /// A method against model tuning.
    pub fn against_model(&self, method: Method) -> Option<&AgainstModel> {
        self.against_model.iter().find(|one| one.method == method)
    }
}

/// One method against model tuning on one domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DomainTest {
    /// The method's score minus model tuning's.
    pub difference: Estimate,
    /// That the scores do not differ, over seeds and passages: the level at which the interval
    /// touches zero. Absent where nothing varies.
    pub p_value: Option<f64>,
    /// `p_value` adjusted for the number of targets (Holm); for the source as it is.
    pub adjusted: Option<f64>,
    /// That these runs do not differ: sign flips by passage. Absent with fewer than two passages.
    pub runs_p_value: Option<f64>,
    /// `runs_p_value` adjusted for the number of targets (Holm); for the source as it is.
    pub runs_adjusted: Option<f64>,
    /// The least difference that four of five such studies would tell from none.
    pub detectable: f64,
    /// How often a run of the method scores higher than one of model tuning.
    pub wins: Option<Estimate>,
}

/// One method against model tuning on average over targets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MeanTest {
    /// The method's mean score minus model tuning's.
    pub difference: Estimate,
    /// That the mean scores do not differ.
    pub score_p_value: Option<f64>,
    /// The least difference of mean scores that four of five such studies would tell from none.
    pub score_detectable: f64,
    /// That the mean gaps do not differ.
    pub gap_p_value: Option<f64>,
    /// The least difference of mean gaps that four of five such studies would tell from none.
    pub gap_detectable: f64,
}

/// Target score over source score: 1 where nothing is lost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Retention {
    /// The method.
    pub method: Method,
    /// On each target; absent where the source score is zero.
    pub targets: Vec<Option<Estimate>>,
    /// The mean target score over the source score.
    pub mean: Option<Estimate>,
}

/// The standard error of one method's score on one domain, by where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spread {
    /// The method.
    pub method: Method,
    /// From other seeds, on each domain; 0 where runs differ no more than passages make them, and
    /// with one seed, which cannot show it.
    pub seeds: Vec<f64>,
    /// From other test passages with the same runs, on each domain.
    pub passages: Vec<f64>,
}

/// Computes them all.
pub(super) fn statistics(
    study: &Study,
    metric: Metric,
    panels: &[Panel],
    scores: &Scores,
) -> Statistics {
    let methods: Vec<Method> = Method::ALL
        .into_iter()
        .filter(|method| !study.of(*method).is_empty())
        .collect();
    Statistics {
        against_model: methods
            .iter()
            .filter(|method| !matches!(method, Method::Untuned | Method::Model))
            .filter_map(|method| against_model(panels, scores, *method))
            .collect(),
        runs: runs::of_study(study),
        retention: methods
            .iter()
            .map(|method| retention(scores, *method, panels.len()))
            .collect(),
        spreads: methods
            .iter()
            .map(|method| spread(scores, *method, panels.len()))
            .collect(),
        calibration: methods
            .iter()
            .map(|method| answers::of_method(study, *method))
            .collect(),
        ranking: methods
            .iter()
            .filter_map(|method| ranking::of_method(study, *method))
            .collect(),
        searches: budget::searches(study),
        groups: groups::groups(study, metric),
        robustness: line::robustness(study, metric, panels, scores),
    }
}

fn against_model(panels: &[Panel], scores: &Scores, method: Method) -> Option<AgainstModel> {
    let model = Method::Model;
    let mut tests: Vec<DomainTest> = panels
        .iter()
        .enumerate()
        .filter_map(|(domain, panel)| {
            let (first, second) = (scores.find(domain, method)?, scores.find(domain, model)?);
            let difference = first.minus(second);
            let pairs = panel.pairs(method as usize, model as usize)?;
            let p_value = difference.p_value();
            let runs_p_value = SignFlip::default().p_value(&pairs);
            Some(DomainTest {
                difference: difference.estimate(),
                p_value,
                adjusted: p_value,
                runs_p_value,
                runs_adjusted: runs_p_value,
                detectable: difference.detectable(),
                wins: winning::probability(first, second),
            })
        })
        .collect();
    if let Some(targets) = tests.get_mut(1..) {
        adjust(targets, |test| (&test.p_value, &mut test.adjusted));
        adjust(targets, |test| {
            (&test.runs_p_value, &mut test.runs_adjusted)
        });
    }
    Some(AgainstModel {
        method,
        domains: tests,
        mean: mean_test(scores, method)?,
    })
}

/// Holm over those targets that have a p value.
fn adjust(
    targets: &mut [DomainTest],
    of: impl Fn(&mut DomainTest) -> (&Option<f64>, &mut Option<f64>),
) {
    let found: Vec<f64> = targets.iter_mut().filter_map(|test| *of(test).0).collect();
    let mut adjusted = holm(&found).into_iter();
    for test in targets {
        let (p_value, place) = of(test);
        if p_value.is_some() {
            *place = adjusted.next();
        }
    }
}

fn mean_test(scores: &Scores, method: Method) -> Option<MeanTest> {
    let minus = |of: &dyn Fn(Method) -> Option<Draws>| -> Option<Draws> {
        Some(of(method)?.minus(&of(Method::Model)?))
    };
    let score = minus(&|method| scores.mean_target(method))?;
    let gap = minus(&|method| scores.mean_gap(method))?;
    Some(MeanTest {
        difference: score.estimate(),
        score_p_value: score.p_value(),
        score_detectable: score.detectable(),
        gap_p_value: gap.p_value(),
        gap_detectable: gap.detectable(),
    })
}

fn retention(scores: &Scores, method: Method, domains: usize) -> Retention {
    let kept = |target: Option<&Draws>| {
        let ratio = target?.over(scores.find(0, method)?)?;
        Some(ratio.estimate())
    };
    Retention {
        method,
        targets: (1..domains)
            .map(|domain| kept(scores.find(domain, method)))
            .collect(),
        mean: kept(scores.mean_target(method).as_ref()),
    }
}

fn spread(scores: &Scores, method: Method, domains: usize) -> Spread {
    let variances: Vec<_> = (0..domains)
        .filter_map(|domain| Some(scores.find(domain, method)?.variance()))
        .collect();
    Spread {
        method,
        seeds: variances
            .iter()
            .map(|variance| variance.seeds.sqrt())
            .collect(),
        passages: variances
            .iter()
            .map(|variance| variance.passages.sqrt())
            .collect(),
    }
}
