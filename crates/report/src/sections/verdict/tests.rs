use super::table::words;
use super::*;
use crate::document::UNDEFINED;
use crate::fixture::{Fixture, assert_has, compared};

/// The verdicts on prompt tuning: at the same source score, and for finished runs.
fn said_of(fixture: &Fixture) -> [Says; 2] {
    let (verdict, _) = verdict_of(fixture);
    [verdict.same_source, verdict.finished]
}

/// The verdict on prompt tuning, and the answer.
fn verdict_of(fixture: &Fixture) -> (Verdict, String) {
    let mut comparison = compared(&fixture.records());
    assert_eq!(comparison.verdict.len(), 2);
    assert_eq!(comparison.verdict[0].finished, Says::Reference);
    (comparison.verdict.remove(1), comparison.answer.join(" "))
}

/// Prompt tuning and model tuning with these probabilities of a right answer.
fn scoring(source: [f64; 2], target: [f64; 2]) -> Fixture {
    let mut fixture = Fixture::one_target();
    fixture.domains[0].1 = [0.05, source[0], source[1]];
    fixture.domains[1].1 = [0.05, target[0], target[1]];
    fixture
}

#[test]
fn verdicts_on_finished_runs_depend_on_intervals_and_learning() {
    for (source, target, wanted) in [
        ([0.8, 0.8], [0.7, 0.4], Says::LosesLess),
        ([0.8, 0.8], [0.4, 0.7], Says::LosesMore),
        ([0.8, 0.8], [0.6, 0.6], Says::Inconclusive),
        // Much less in points, but not as a share of the score above the floor.
        ([0.55, 0.9], [0.4, 0.55], Says::DependsOnScale),
        ([0.1, 0.8], [0.1, 0.6], Says::NotLearned),
        ([0.25, 0.8], [0.1, 0.6], Says::LearningOpen),
        ([0.8, 0.1], [0.6, 0.1], Says::ReferenceNotLearned),
        ([0.8, 0.25], [0.6, 0.1], Says::ReferenceLearningOpen),
        ([0.8, 0.8], [0.1, 0.6], Says::AtFloor),
        ([0.8, 0.8], [0.28, 0.6], Says::FloorOpen),
    ] {
        let [_, finished] = said_of(&scoring(source, target));
        assert_eq!(finished, wanted, "{source:?} {target:?}");
    }
}

#[test]
fn losses_within_the_margin_are_equivalent() {
    // With 80 passages the interval is wider than the margin.
    let mut fixture = scoring([0.8, 0.8], [0.6, 0.6]);
    assert_eq!(said_of(&fixture)[1], Says::Inconclusive);
    fixture.passages = 2_500;
    let (verdict, answer) = verdict_of(&fixture);
    assert_eq!(verdict.finished, Says::Equivalent, "{answer}");
    assert_has(&answer, "equivalent within 5.0 points");
    let gap = verdict.gap_difference.expect("both have records").interval;
    assert!(gap.low > -0.05 && gap.high < 0.05, "{gap:?}");
}

/// The words of the answer, the verdicts and the cautions.
fn words_of(fixture: &Fixture) -> String {
    let comparison = compared(&fixture.records());
    let cells = comparison.verdict.iter();
    let cells = cells.map(|verdict| words(&comparison.results, verdict, verdict.finished));
    let cautions = comparison.cautions.iter().map(|one| one.seen.clone());
    let answer = comparison.answer.iter().cloned();
    answer
        .chain(cells)
        .chain(cautions)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_wide_interval_is_never_called_a_failure_to_learn() {
    for (source, is_shown) in [(0.1, true), (0.25, false)] {
        let words = words_of(&scoring([source, 0.8], [0.1, 0.6]));
        let score = "its score minus that of a random";
        for (said, wanted) in [
            (
                format!("prompt tuning is shown not to have learned squad: {score}"),
                is_shown,
            ),
            (
                format!("inconclusive whether prompt tuning learned squad: {score}"),
                !is_shown,
            ),
            ("inconclusive whether it learned".to_owned(), !is_shown),
        ] {
            assert_eq!(words.contains(&said), wanted, "{words}");
        }
    }
    let words = words_of(&scoring([0.8, 0.8], [0.6, 0.6]));
    assert!(!words.contains("learned squad"), "{words}");
}

#[test]
fn only_scores_shown_to_be_at_the_floor_are_said_not_to_fall_further() {
    for (target, is_shown) in [(0.22, true), (0.28, false)] {
        let words = words_of(&scoring([0.8, 0.8], [target, 0.6]));
        assert_eq!(words.contains("cannot fall further"), is_shown, "{words}");
        let open = "inconclusive whether prompt tuning is above the floor on textbookqa";
        assert_eq!(words.contains(open), !is_shown, "{words}");
    }
}

#[test]
fn targets_at_the_floor_are_listed_for_each_method() {
    let mut fixture = Fixture::six_targets();
    fixture.domains.truncate(3);
    for (prompt, model, wanted) in [
        (
            0.1,
            0.1,
            "cannot fall further: prompt tuning is shown to be less than 2 points above the floor on textbookqa, and model \
             tuning is shown to be less than 2 points above the floor on bioasq",
        ),
        (
            0.28,
            0.1,
            "Gaps not compared: it is inconclusive whether prompt tuning is above the floor on textbookqa",
        ),
    ] {
        fixture.domains[0].1 = [0.05, 0.8, 0.8];
        fixture.domains[1].1 = [0.05, prompt, 0.6];
        fixture.domains[2].1 = [0.05, 0.6, model];
        let words = words_of(&fixture);
        assert_has(&words, wanted);
    }
}

#[test]
fn a_smaller_loss_from_a_lower_score_is_not_robustness() {
    // For finished runs prompt tuning loses far less; model tuning stopped at the same source score has the same
    // target score.
    let mut fixture = scoring([0.65, 0.8], [0.62, 0.35]);
    fixture.together = -2.7;
    let (verdict, answer) = verdict_of(&fixture);
    assert_eq!(verdict.finished, Says::LosesLess, "{answer}");
    assert_eq!(verdict.same_source, Says::Inconclusive, "{answer}");
    let same_score = answer.starts_with("At the same squad score it is inconclusive");
    assert!(same_score, "{answer}");
    assert_has(&answer, "because it scores lower on squad");
    // If model tuning's target score at that step is lower, prompt tuning loses less at the same source score as
    // well.
    fixture.together = 0.5;
    assert_eq!(said_of(&fixture), [Says::LosesLess; 2]);
    let (_, answer) = verdict_of(&fixture);
    assert_has(&answer, "prompt tuning loses less: it scores");
    // If it is higher, prompt tuning loses more.
    let mut fixture = scoring([0.65, 0.8], [0.45, 0.45]);
    fixture.together = -2.0;
    assert_eq!(said_of(&fixture)[0], Says::LosesMore);
}

#[test]
fn methods_without_a_matching_checkpoint_are_not_compared() {
    let mut fixture = scoring([0.3, 0.95], [0.4, 0.6]);
    fixture.passages = 300;
    let (verdict, answer) = verdict_of(&fixture);
    assert_eq!(verdict.same_source, Says::NoMatch, "{answer}");
    assert_has(&answer, "on source validation the nearest, ");
    fixture.domains[0].1[Method::Prompt as usize] = 0.38;
    assert_ne!(verdict_of(&fixture).0.same_source, Says::NoMatch);
    let mut records = fixture.records();
    records.iter_mut().for_each(|one| one.checkpoints.clear());
    for training in (records.iter_mut()).filter_map(|one| one.record.training.as_mut()) {
        training.checkpoints.clear();
    }
    let comparison = compared(&records);
    assert_eq!(comparison.verdict[1].same_source, Says::NotScored);
    assert_has(&comparison.answer[0], "have no predictions");
}

#[test]
fn the_answer_on_a_single_run_is_limited_to_it() {
    let mut fixture = scoring([0.8, 0.8], [0.7, 0.4]);
    assert!(!verdict_of(&fixture).1.contains("For these runs only"));
    let mut records = fixture.records();
    records.retain(|one| one.record.cell.method != Method::Prompt || one.record.cell.seed == 0);
    let lent = compared(&records).answer.join(" ");
    let means = "With one run of prompt tuning, its seeds are assumed to vary like those of the other methods";
    assert_has(&lent, means);
    assert!(!lent.contains("For these runs only"), "{lent}");
    fixture.seeds = vec![0];
    let (_, answer) = verdict_of(&fixture);
    assert_has(&answer, "For these runs only");
}

#[test]
fn without_variation_there_is_no_conclusion() {
    let mut fixture = scoring([0.99, 0.99], [0.99, 0.75]);
    assert_eq!(said_of(&fixture)[1], Says::LosesLess);
    (fixture.seeds, fixture.passages) = (vec![0], 1);
    assert_eq!(said_of(&fixture), [Says::NothingVaries; 2]);
    let (_, answer) = verdict_of(&fixture);
    let holds = !answer.contains("power") && !answer.contains("CI");
    assert!(holds, "{answer}");
}

#[test]
fn methods_at_the_floor_on_all_targets_are_not_compared_and_on_some_get_a_note() {
    let mut fixture = Fixture::six_targets();
    fixture.domains.truncate(3);
    for (chances, is_all) in [([0.1, 0.1], true), ([0.1, 0.6], false)] {
        for (domain, prompt) in [(1, chances[0]), (2, chances[1])] {
            fixture.domains[domain].1 = [0.05, prompt, 0.6];
        }
        let (verdict, answer) = verdict_of(&fixture);
        assert_eq!(verdict.finished == Says::AtFloor, is_all, "{answer}");
        assert_has(&answer, "floor");
    }
}

#[test]
fn cells_without_a_value_have_a_dash() {
    let comparison = compared(&Fixture::one_target().records());
    let table = table(comparison.evidence(), &comparison.verdict);
    assert_eq!(table.rows.len(), 2);
    assert_eq!(table.rows[0][4], UNDEFINED, "model tuning is the reference");
    assert_eq!(table.rows[0][5], "reference");
}

#[test]
fn other_methods_that_are_not_compared_are_counted() {
    let of = |same_source| Verdict {
        method: Method::Lora,
        same_source,
        finished: same_source,
        gap_difference: None,
        scales: Vec::new(),
        targets_at_floor: 0,
    };
    let others = [of(Says::NotLearned), of(Says::NoMatch)];
    let said = |subject| super::answer::tally(subject, &others.iter().collect::<Vec<_>>());
    assert_eq!(
        said(Says::LosesLess),
        "; of the other 2 methods: 2 not comparable"
    );
    assert_eq!(said(Says::NotLearned), "; nor are the other 2 methods");
}
