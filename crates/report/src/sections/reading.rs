//! How to read a report: what was done, and what its terms mean.

use super::search::{MethodSearch, budget};
use crate::baselines::MARGIN;
use crate::document::Block;
use crate::number::{capital, list, metric_title, whole};
use crate::results::Results;
use promptshift_numbers::recipe::Method;
use promptshift_text::domain::mixture::Mixing;
use promptshift_text::domain::{AnswerForm, Task};
use promptshift_text::transfer::sources;

/// The section.
pub fn blocks(results: &Results, searches: &[MethodSearch]) -> Vec<Block> {
    vec![
        Block::heading("How to read it"),
        Block::List(lines(results, searches)),
    ]
}

/// The first lines of a report on the bundled suite.
pub fn generated(results: &Results) -> Option<Block> {
    if results.suite != "mini" {
        return None;
    }
    let names: Vec<&str> = results
        .domains
        .iter()
        .map(|domain| domain.name.as_str())
        .collect();
    Some(Block::Text(format!(
        "> **Generated text.** The domains of suite `mini` are written by grammars and only named \
         after what they imitate: these numbers say nothing about English or about the real {}. They \
         demonstrate the pipeline on a laptop. On real data:\n>\n\
         > ```sh\n> promptshift transfer 'squad->squadshifts_amazon' --data DIR --model DIR\n> ```",
        list(&names)
    )))
}

fn lines(results: &Results, searches: &[MethodSearch]) -> Vec<String> {
    let metric = metric_title(results.metric);
    let floor = match results.metric {
        _ if results.domains[0].best_constant.is_some() => {
            "the best constant answer: the same class for every example, the one that scores highest on the rows of \
             that domain"
        }
        _ => "answering with a fact of the passage drawn at random",
    };
    let mut lines = vec![
        format!(
            "**Zero-shot.** Methods are trained on the training split of {source}, their best step is chosen on its \
             validation split, and targets are only scored.",
            source = results.source
        ),
        "**Prompt tuning** trains vectors prepended to the embedded input and freezes the backbone; **model tuning**, \
         the paper's term for full fine-tuning, trains every parameter (Lester et al. 2021)."
            .to_owned(),
        format!(
            "**{}** is in percent, over all examples, then the mean over seeds; ± is the standard deviation over \
             seeds (n − 1): variation between training runs, not between test sets.",
            capital(metric)
        ),
        "**Gap** = source score − target score, in points: positive is a loss. **Difference in gaps** = gap of a \
         method − gap of model tuning: negative loses less than model tuning."
            .to_owned(),
        format!(
            "**[low, high]** is a 95 % interval over seeds and passages: Student's t (4.30 instead of 1.96 for three \
             seeds that differ far more than passages), with the variance of {} resamples of each domain's whole passages \
             (questions on one passage are not independent), the same for all methods, plus the variance between seeds. \
             Scores have Wilson's form of it, which ends at 0 and 100. Where an interval includes zero, the sign is not \
             known.",
            whole(results.resamples as f64)
        ),
        "**p** is the level at which that interval would touch zero, adjusted for the number of comparisons (Holm 1979); \
         words such as *scores higher* go by it. It rests on resampling, so it has two decimals where its own error \
         reaches the third."
            .to_owned(),
        format!(
            "**Untuned** is the pre-trained backbone; **floor** is the score of {floor}; these are the **baselines**. A \
             method **learned** the source where the 95 % interval of its score minus each baseline's, paired by \
             passage, lies above zero. It is **shown not to have learned** it where the interval against the highest \
             baseline ends below {} points (non-superiority, one side of Schuirmann's 1987 test of equivalence). \
             Otherwise this cannot be told. The same holds for scores on targets and the floor.",
            whole(100.0 * MARGIN)
        ),
    ];
    lines.push(
        "**Given this recipe and these training rows.** All seeds share every setting, the learning rate among them, and the \
         rows that they were trained on and that their best step was chosen by. So no interval here covers what other \
         settings or other rows would have changed, and what rows change can exceed what seeds do (Bouthillier et al. 2021, \
         arXiv 2103.03098)."
            .to_owned(),
    );
    lines.extend(results.mixing.map(|mixing| mixture(results, mixing)));
    lines.push(format!("**Budget.** {}", budget(results, searches)));
    lines.extend(answers(results));
    lines.extend(absent(results));
    lines
}

/// The methods that a results of nearly all leaves out, so that nobody takes them for lost.
fn absent(results: &Results) -> Option<String> {
    let reported = results.reported();
    let absent: Vec<&str> = (Method::offered())
        .filter(|&method| method != Method::Untuned && !reported.contains(&method))
        .map(Method::title)
        .collect();
    (absent.len() < reported.len() && !absent.is_empty() && reported.len() > Method::offered().count() / 2).then(|| {
        format!(
            "**Not included**: {}. `promptshift list methods` says what each needs; WARP tunes words for class labels, \
             intrinsic prompt tuning needs a subspace (`--subspace`).",
            list(&absent)
        )
    })
}

/// What a source of several domains is.
fn mixture(results: &Results, mixing: Mixing) -> String {
    let members: Vec<String> = sources(&results.source).map(str::to_owned).collect();
    let rates = match mixing {
        Mixing::Equal => "at the same rate".to_owned(),
        Mixing::Proportional { cap } => format!(
            "at rates proportional to their training rows, none counted as more than {}",
            whole(cap as f64)
        ),
    };
    format!(
        "**Mixture.** One model or prompt is trained on {} together, {rates} (Raffel et al. 2020, 3.5.2). Source \
         validation and source test have as many rows of each domain, so that all of them weigh the same in the source \
         score; \"Every group of examples\" has it domain by domain.",
        list(&members)
    )
}

/// How right answers are written, where there are two ways.
fn answers(results: &Results) -> Option<String> {
    let how = match (results.task, results.answers) {
        (Task::ExtractiveQa, AnswerForm::Padded) => {
            "with spaces around punctuation, as in T5 and the paper (`--answers padded`). The official scripts get \
             them as published and may score an answer with punctuation inside it differently"
        }
        (Task::ExtractiveQa, AnswerForm::Raw) => {
            "as published, as in the official scripts (`--answers raw`). Predictions have spaces around punctuation, \
             as in training, so that they never equal an answer with punctuation inside a word; the paper pads its \
             right answers too"
        }
        (Task::ExtractiveQa, AnswerForm::Continued) => {
            "as published, as in the official scripts and in training"
        }
        _ => return None,
    };
    Some(format!("**Right answers** are compared {how}."))
}
