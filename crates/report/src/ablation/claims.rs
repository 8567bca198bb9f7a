//! What the paper concluded from its ablations (Lester et al. 2021, §3.2 and §3.3), each as a difference
//! that it found above zero, or small. Written down from notes on the paper; [MEM] marks what is from
//! memory alone.

use super::{On, Settings};
use crate::findings::{Finding, Population};
use crate::settings::Varied;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::ablation::Kind;
use promptshift_numbers::stats::bootstrap::Draws;

/// The names of the starts that the paper compares.
pub const VOCAB: &str = "sampled vocabulary";
/// See [`VOCAB`].
pub const LABELS: &str = "class labels";
/// See [`VOCAB`].
pub const UNIFORM: &str = "uniform";
/// The names of the pre-trainings that the paper compares.
pub const SPANS: &str = "span corruption";
/// See [`SPANS`].
pub const SENTINEL: &str = "span corruption, sentinel";
/// See [`SPANS`].
pub const ADAPTED: &str = "adapted as a language model";

/// What counts as small: below two points. The paper says "marginal" and gives no number.
const SMALL: f64 = 0.02;

pub(super) fn findings(kind: Kind, table: &Settings, varied: &Varied) -> Vec<Finding> {
    let at = |place: &str| table.source(place, Method::Prompt);
    let minus = |one: Option<Draws>, other: Option<Draws>| Some(one?.minus(&other?));
    let claim = |paper, what: &str, draws: Option<Draws>| {
        Finding::positive(paper, what, draws.as_ref(), Population::SeedsAndPassages)
    };
    match kind {
        Kind::Length => vec![
            claim(
                "A single vector is not enough, except for XXL.",
                "20 vectors − 1",
                minus(at("20"), at("1")),
            ),
            Finding::small(
                "Beyond 20 vectors the gains are marginal.",
                "100 vectors − 20",
                SMALL,
                minus(at("100"), at("20")).as_ref(),
                Population::SeedsAndPassages,
            ),
        ],
        Kind::Init => vec![
            claim(
                "Class labels are the best initialisation.",
                "class labels − sampled vocabulary",
                minus(at(LABELS), at(VOCAB)),
            ),
            claim(
                "Random uniform is the worst initialisation for small models (no difference at XXL).",
                "sampled vocabulary − uniform",
                minus(at(VOCAB), at(UNIFORM)),
            ),
        ],
        Kind::Objective => vec![
            claim(
                "A model pre-trained by span corruption alone is a poor frozen model; with LM adaptation it is \
                 the best.",
                "adapted − span corruption",
                minus(at(ADAPTED), at(SPANS)),
            ),
            claim(
                "Prepending a sentinel to the targets does not make up for it.",
                "adapted − span corruption with sentinel",
                minus(at(ADAPTED), at(SENTINEL)),
            ),
        ],
        Kind::LmSteps => vec![claim(
            "Longer LM adaptation is better, up to 100,000 steps.",
            "most steps − fewest",
            minus(
                varied.places.last().and_then(|place| at(place)),
                varied.places.first().and_then(|place| at(place)),
            ),
        )],
        Kind::Scale => {
            let behind = |place: Option<&String>| {
                let model = table.source(place?, Method::Model);
                minus(at(place?), model)
            };
            vec![claim(
                "The larger the model, the smaller the lead of model tuning over prompt tuning.",
                "(prompt − model) of the largest − (prompt − model) of the smallest",
                minus(behind(varied.places.last()), behind(varied.places.first())),
            )]
        }
    }
}

impl Settings<'_> {
    fn source(&self, place: &str, method: Method) -> Option<Draws> {
        self.draws(self.find(place, None, method)?, On::Source)
    }
}
