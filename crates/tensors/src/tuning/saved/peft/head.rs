//! The head that PEFT trains and saves with a BERT's adapter, `weight` `[outputs, D]` and `bias` `[outputs]`:
//! `classifier` for `SEQ_CLS`, or `qa_outputs` without a `task_type`, as one of `modules_to_save`.
//!
//! PEFT's wrapper for `QUESTION_ANS` (`PeftModelForQuestionAnswering.forward`, as of 0.21) accepts `token_type_ids` but
//! does not pass them on. So an adapter trained with it has read question and passage as one text, which a BERT never
//! does here, and an adapter trained here would answer differently in it. Without a `task_type` PEFT passes everything
//! on.

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};

use super::folder::{Config, Task};
use super::modules::{Left, ROOT, Written, none};
use crate::backbone::Backbone;
use crate::bert::Head;
use crate::checkpoint::transposed;
use crate::layers::HeadForm;
use crate::network::Network;
use crate::tuning::saved::error::SavedError;

const CLASSIFIER: &str = "classifier";
const SPANS: &str = "qa_outputs";

const NO_POOLER: &str =
    "no pooler in the checkpoint, which PEFT's classifier needs and does not save";

/// The names of these modules in `modules_to_save`; a network has one of them.
pub(super) fn names(form: Option<HeadForm>) -> &'static [&'static str] {
    match form {
        Some(HeadForm::Classes(_) | HeadForm::Words(_)) => &[CLASSIFIER, "score"],
        Some(HeadForm::Span) => &[SPANS],
        None => &[],
    }
}

fn tensors(module: &str) -> [String; 2] {
    ["weight", "bias"].map(|part| format!("{ROOT}.{module}.{part}"))
}

/// The backbone's network, with the head that came with the adapter if it has none of its own.
pub(super) fn read(
    config: &Config,
    left: &mut Left,
    backbone: &Backbone,
) -> Result<(Network, Option<HeadForm>), SavedError> {
    let Network::Bert(bert) = backbone.model.clone() else {
        return Ok((backbone.model.clone(), None));
    };
    if config.task == Some(Task::QuestionAns) {
        return Err(config.wrong(
            "an adapter of spans without task_type (modules_to_save qa_outputs): PEFT's wrapper for QUESTION_ANS drops \
             token_type_ids, so that question and passage are one text in it",
            "task_type QUESTION_ANS",
        ));
    }
    let is_there = |module: &str| left.shape(&tensors(module)[0]).is_some();
    let module = match config.task {
        Some(Task::SeqCls) => CLASSIFIER,
        _ if is_there(SPANS) => SPANS,
        _ => CLASSIFIER,
    };
    let [weight, bias] = tensors(module);
    let Some(&[outputs, width]) = left.shape(&weight) else {
        let wanted = format!(
            "'{weight}' [outputs, D], the head that was trained with it, as '{}' has none",
            backbone.name
        );
        let found = left
            .shape(&weight)
            .map_or_else(none, |shape| format!("{shape:?}"));
        return Err(left.wrong(wanted, found));
    };
    let form = match module {
        SPANS => HeadForm::Span,
        _ if !bert.has_pooler() => {
            let wanted = format!("an adapter for '{}'", backbone.name);
            return Err(left.wrong(wanted, format!("'{weight}', but {NO_POOLER}")));
        }
        _ => HeadForm::Classes(outputs),
    };
    let shape = [form.outputs(), backbone.config.width()];
    let of_weight = left.take(&weight, shape)?.expect("it has a shape");
    let Some(of_bias) = left.take(&bias, [outputs])? else {
        return Err(left.wrong(format!("'{bias}' beside '{weight}'"), none()));
    };
    let device = bert.device();
    let of_weight = transposed(&of_weight, shape);
    let data = TensorData::new(of_weight, [width, outputs]);
    let head = Head::new(
        form,
        Param::from_tensor(Tensor::from_data(data, &device)),
        Param::from_tensor(Tensor::from_data(
            TensorData::new(of_bias, [outputs]),
            &device,
        )),
    );
    Ok((bert.with_head(head).into(), Some(form)))
}

/// Writes the head that was trained with an adapter, and returns the task that PEFT must wrap the network for.
pub(super) fn write(
    form: Option<HeadForm>,
    network: &Network,
    written: &mut Written,
) -> Result<Option<Task>, String> {
    let Network::Bert(bert) = network else {
        unreachable!("no other network is given a head");
    };
    let (task, module) = match form {
        Some(HeadForm::Classes(_)) if !bert.has_pooler() => return Err(NO_POOLER.to_string()),
        Some(HeadForm::Classes(_)) => (Some(Task::SeqCls), CLASSIFIER),
        Some(HeadForm::Span) => (None, SPANS),
        Some(HeadForm::Words(_)) => {
            return Err("a head of masked words, which PEFT does not train for any task".into());
        }
        None => return Err("a BERT's adapter without a head, which can't answer".into()),
    };
    let (weight, bias) = bert.head().expect("there is a form of it").rows();
    let [name_of_weight, name_of_bias] = tensors(module);
    written.tensors.put_tensor(&name_of_weight, weight);
    if let Some(bias) = bias {
        written.tensors.put_tensor(&name_of_bias, bias);
    }
    written.keys.push(("modules_to_save", vec![module].into()));
    Ok(task)
}
