//! The head that PEFT trains and saves with an encoder's adapter: `classifier` for `SEQ_CLS`, which in a
//! RoBERTa consists of two linear layers; `qa_outputs` for spans, under `QUESTION_ANS` or without a
//! `task_type`, as one of `modules_to_save`.
//!
//! PEFT's wrapper for `QUESTION_ANS` (`PeftModelForQuestionAnswering.forward`, as of 0.21) accepts
//! `token_type_ids` but does not pass them on. So an adapter of a BERT trained with it has read question and
//! passage as one text, which a BERT never does here, and an adapter trained here would answer differently in
//! it. Without a `task_type` PEFT passes everything on. The other families have no token types.
//!
//! A ModernBERT's span head is also called `classifier`, and reads states after the pooler.
//!
//! For a DistilBERT, PEFT saves only `classifier` by default, not the equally new `pre_classifier` before it:
//! a folder must have both (`modules_to_save`).

use promptshift_numbers::recipe::HeadForm;

use super::folder::{Config, Task};
use super::modules::{Left, ROOT, Written, none};
use crate::backbone::Backbone;
use crate::bert::Shape;
use crate::checkpoint::Weights;
use crate::network::{Config as NetworkConfig, Network};
use crate::tuning::saved::error::SavedError;

const NO_POOLER: &str =
    "no pooler in the checkpoint, which PEFT's classifier needs and does not save";

/// The names of these modules in `modules_to_save`; a network has one of them.
pub(super) fn names(form: Option<HeadForm>) -> &'static [&'static str] {
    match form {
        Some(HeadForm::Classes(_) | HeadForm::Words(_)) => {
            &["classifier", "score", "pre_classifier"]
        }
        // PEFT lists `qa_outputs` even if the module has another name, as in a ModernBERT.
        Some(HeadForm::Span) => &["qa_outputs", "classifier"],
        None => &[],
    }
}

/// The backbone's network, with the head that was saved with the adapter if the network has none.
pub(super) fn read(
    config: &Config,
    left: &mut Left,
    backbone: &Backbone,
) -> Result<(Network, Option<HeadForm>), SavedError> {
    let (Network::Bert(bert), NetworkConfig::Bert(sizes)) =
        (backbone.model.clone(), &backbone.config)
    else {
        return Ok((backbone.model.clone(), None));
    };
    if config.task == Some(Task::QuestionAns) && sizes.shape == Shape::Bert {
        return Err(config.wrong(
            "an adapter of spans without task_type (modules_to_save qa_outputs): PEFT's wrapper for QUESTION_ANS drops \
             token_type_ids, so that question and passage are one text in it",
            "task_type QUESTION_ANS",
        ));
    }
    let heads = sizes.shape.heads();
    let weight = |module: &str| format!("{ROOT}.{module}.weight");
    let module = match config.task {
        Some(Task::SeqCls) => heads.classifier,
        Some(Task::QuestionAns) => heads.spans,
        None if heads.spans == heads.classifier => {
            return Err(config.wrong(
                "task_type SEQ_CLS or QUESTION_ANS, as both have a classifier in a ModernBERT",
                "none",
            ));
        }
        _ if left.shape(&weight(heads.spans)).is_some() => heads.spans,
        _ => heads.classifier,
    };
    let name = weight(module);
    let Some(&[outputs, _]) = left.shape(&name) else {
        let wanted = format!(
            "'{name}' [outputs, D], the head that was trained with it, as '{}' has none",
            backbone.name
        );
        let found = left
            .shape(&name)
            .map_or_else(none, |shape| format!("{shape:?}"));
        return Err(left.wrong(wanted, found));
    };
    let is_of_spans = module == heads.spans && config.task != Some(Task::SeqCls);
    let form = match is_of_spans {
        true => HeadForm::Span,
        false if heads.dense.is_none() && !bert.has_pooler() => {
            let wanted = format!("an adapter for '{}'", backbone.name);
            return Err(left.wrong(wanted, format!("'{name}', but {NO_POOLER}")));
        }
        false => HeadForm::Classes(outputs),
    };
    let mut weights = Weights::empty(&left.path.display().to_string());
    let dense = heads.dense.filter(|_| form != HeadForm::Span);
    for module in dense.into_iter().chain([module]) {
        for part in ["weight", "bias"] {
            let name = format!("{module}.{part}");
            if let Some((shape, values)) = left.tensors.remove(&format!("{ROOT}.{name}")) {
                weights.put(&name, shape, values);
            }
        }
    }
    let head = sizes.head(form, &mut weights, &bert.device());
    let head = head.map_err(|error| {
        let wanted = format!(
            "the whole head that was trained with it, of a {}",
            sizes.title()
        );
        left.wrong(wanted, error.to_string())
    })?;
    Ok((bert.with_head(head).into(), Some(form)))
}

/// Writes the head that was trained with an adapter; returns the task that PEFT must wrap the network for.
pub(super) fn write(
    form: Option<HeadForm>,
    network: &Network,
    written: &mut Written,
) -> Result<Option<Task>, String> {
    let Network::Bert(bert) = network else {
        unreachable!("no other network is given a head");
    };
    let shape = bert.shape();
    let heads = shape.heads();
    let (task, modules) = match form {
        Some(HeadForm::Classes(_)) if heads.dense.is_none() && !bert.has_pooler() => {
            return Err(NO_POOLER.to_string());
        }
        Some(HeadForm::Classes(_)) => {
            // A RoBERTa's two layers are within one module.
            let dense = heads.dense.filter(|name| !name.contains('.'));
            let modules: Vec<&str> = dense.into_iter().chain(["classifier"]).collect();
            (Some(Task::SeqCls), modules)
        }
        Some(HeadForm::Span) if shape == Shape::Bert => (None, vec![heads.spans]),
        Some(HeadForm::Span) => (Some(Task::QuestionAns), vec![heads.spans]),
        Some(HeadForm::Words(_)) => {
            return Err("a head of masked words, which PEFT does not train for any task".into());
        }
        None => return Err("an encoder's adapter without a head, which can't answer".into()),
    };
    let mut head = Weights::empty("");
    bert.head_weights(bert.head().expect("there is a form of it"), &mut head);
    written
        .tensors
        .put_all(head.renamed(|name| Some(format!("{ROOT}.{name}"))));
    written.keys.push(("modules_to_save", modules.into()));
    Ok(task)
}
