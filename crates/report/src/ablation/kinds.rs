//! The kinds of ablations: the varied setting, the question, and the paper's conclusions (Lester et al. 2021, §3.2
//! and §3.3), each as a difference that the paper found above zero or small. The conclusions are from notes on the
//! paper; [MEM] marks those quoted from memory.

use super::table::{On, Settings};
use crate::findings::{Finding, Population};
use crate::settings::{Order, Varied};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::ablation::{Kind, Variant};
use promptshift_numbers::stats::bootstrap::Draws;

pub(super) fn varied(kind: Kind, settings: &[Variant]) -> Varied {
    let mut places: Vec<String> = Vec::new();
    for setting in settings {
        if !places.contains(&setting.place) {
            places.push(setting.place.clone());
        }
    }
    let (name, order) = match kind {
        Kind::Length => ("prompt vectors", Order::Amounts),
        Kind::Init => ("initialisation of the prompt", Order::Kinds),
        Kind::Objective => ("pre-training of the frozen model", Order::Kinds),
        Kind::LmSteps => ("steps of LM adaptation", Order::Amounts),
        Kind::Scale => ("parameters of the model", Order::Amounts),
    };
    Varied {
        name: name.to_owned(),
        places,
        order,
    }
}

pub(super) fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Length => "Prompt length",
        Kind::Init => "Prompt initialisation",
        Kind::Objective => "Pre-training objective",
        Kind::LmSteps => "Steps of LM adaptation",
        Kind::Scale => "Model size",
    }
}

pub(super) fn question(kind: Kind) -> &'static str {
    match kind {
        Kind::Length => "How many vectors does a prompt need, on its source and under shift?",
        Kind::Init => "Does the initialisation of a prompt matter, on its source and under shift?",
        Kind::Objective => {
            "Which pre-training objective makes a frozen model suitable for prompt tuning?"
        }
        Kind::LmSteps => "How much LM adaptation does a model need before prompt tuning works?",
        Kind::Scale => "Does prompt tuning catch up with model tuning as models grow?",
    }
}

/// The names of the initialisations that the paper compares.
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

/// A difference below two points counts as small. The paper says "marginal" without a number.
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
