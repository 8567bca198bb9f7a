//! What an ablation varies, and what it asks.

use crate::settings::{Order, Varied};
use promptshift_numbers::record::ablation::{Kind, Variant};

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
