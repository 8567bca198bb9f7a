use super::*;
use crate::fixture::{assert_has, provenance};
use promptshift_numbers::record::ensemble::{
    EnsembleEvaluation, EnsembleRecord, Member, MemberLine,
};
use promptshift_numbers::record::{Role, Score};
use promptshift_text::domain::{Split, Task};

/// Three members, each wrong on a different third of the examples: their vote is always right.
fn complementary() -> StoredEnsemble {
    let line = |example: usize| EnsembleLine {
        id: format!("{example}"),
        passage: format!("p{}", example / 2),
        members: (0..3)
            .map(|member| {
                let right = example % 3 != member;
                let (exact_match, f1) = (f64::from(u8::from(right)), f64::from(u8::from(right)));
                MemberLine {
                    prediction: if right { "mill" } else { "barn" }.to_owned(),
                    log_prob: if right { -0.2 } else { -0.1 },
                    score: Score::Span { exact_match, f1 },
                    label_log_probs: Vec::new(),
                }
            })
            .collect(),
    };
    let evaluation = |domain: &str, role| EnsembleEvaluation {
        domain: domain.to_owned(),
        role,
        task: Task::ExtractiveQa,
        split: Split::Test,
        examples: 60,
        seconds: Some(2.0),
        peak_bytes: Some(1_000),
        answers: format!("{domain}.jsonl"),
        answers_sha256: String::new(),
    };
    StoredEnsemble {
        record: EnsembleRecord {
            version: 1,
            source: "squad".to_owned(),
            model: "nano".to_owned(),
            suite: "mini".to_owned(),
            backbone_parameters: 1_000,
            members: (0..3)
                .map(|seed| Member {
                    seed,
                    parameters: 10,
                    sha256: String::new(),
                    validation_score: 0.5 + 0.1 * seed as f64,
                    seconds: 1.5,
                })
                .collect(),
            provenance: provenance(&["squad", "race"].map(str::to_owned)),
            evaluations: vec![
                evaluation("squad", Role::Source),
                evaluation("race", Role::Target),
            ],
        },
        lines: vec![(0..60).map(line).collect(), (0..60).map(line).collect()],
    }
}

#[test]
fn members_with_different_errors_gain_by_voting() {
    let document = document(&complementary()).expect("a report");
    let text = document.markdown("figures");
    // Two thirds right individually, everything right together: agreement with the paper.
    assert_has(
        &text,
        "| squad (source) | 66.7 ± 0.0 | 66.7 | 66.7 | 100.0 | +33.3 [",
    );
    assert_eq!(text.matches("| agrees |").count(), 2, "{text}");
    assert_has(&text, "| 2 of 3 | 60 | 100.0 [");
    assert_has(&text, "| 3 of 3 | 0 | – |");
    // One backbone and three prompts, compared with three backbones.
    assert_has(&text, "| 3 prompts in one batch | 1 | 1,030 | 4.0 |");
    assert_has(&text, "| 3 tuned models | 3 | 3,000 |");
    assert_has(&text, "34 % of the parameters");
    let figure = document.figures().next().expect("one figure");
    assert_has(&figure.alt, "majority vote 66.7 at 1");
    assert_has(&figure.alt, "100.0 at 3");
}

#[test]
fn identical_members_gain_nothing() {
    let mut same = complementary();
    for line in same.lines.iter_mut().flatten() {
        let first = line.members[0].clone();
        line.members.fill(first);
    }
    let text = document(&same).expect("a report").markdown("figures");
    assert_has(&text, "| 66.7 | 0.0 [0.0, 0.0] |");
    assert_eq!(text.matches("inconclusive").count(), 2, "{text}");
}

#[test]
fn classes_are_combined_by_mean_probability_as_well() {
    let mut pairs = complementary();
    for line in pairs.lines.iter_mut().flatten() {
        // Two of three are slightly wrong, one is clearly right.
        let members = line.members.iter_mut();
        for (member, given) in members.zip([[0.6, 0.4], [0.6, 0.4], [0.1, 0.9]]) {
            let predicted = Some(usize::from(given[1] > given[0]));
            member.prediction = format!("label {predicted:?}");
            member.score = Score::Label { gold: 1, predicted };
            member.label_log_probs = given.iter().map(|p: &f64| p.ln()).collect();
        }
    }
    for evaluation in &mut pairs.record.evaluations {
        evaluation.task = Task::Paraphrase;
    }
    let text = document(&pairs).expect("a report").markdown("figures");
    // The vote is always wrong, the mean probability always right.
    assert_has(&text, "| 33.3 ± 57.7 | 100.0 | 100.0 | 0.0 | −33.3 [");
    assert_has(&text, "| 100.0 | +66.7 [");
}
