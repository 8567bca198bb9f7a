use super::*;
use crate::fixture::{Fixture, assert_has, uniform};
use crate::paired::sets::of_records;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::panel::Sum;

/// The records of one method of the fixture.
fn set(name: &str, method: Method) -> Set {
    let mut records = Fixture::one_target().records();
    records.retain(|stored| stored.record.cell.method == method);
    of_records(name, records)
}

/// The first runs of one method.
fn first(name: &str, method: Method, runs: usize) -> Set {
    let mut set = set(name, method);
    set.runs.truncate(runs);
    set
}

#[test]
fn a_set_does_not_lose_against_itself() {
    let one = set("a", Method::Model);
    for row in compare(&one, &one, None).expect("the same set") {
        assert_eq!((row.difference.value, row.p_value), (0.0, Some(1.0)));
        assert_eq!(row.runs_p_value, Some(1.0));
        assert!(!row.is_loss(0.05));
        assert_eq!((row.metric, row.runs), ("f1", [3, 3]));
    }
}

#[test]
fn a_worse_set_loses_and_a_better_one_gains() {
    let (better, worse) = (set("a", Method::Model), set("b", Method::Prompt));
    let rows = compare(&better, &worse, Some("exact_match")).expect("the same data");
    assert_eq!(rows[0].metric, "exact_match");
    let source = compare(&better, &worse, None).expect("the same data");
    let squad = source.iter().find(|row| row.domain == "squad").expect("it");
    assert!(squad.is_loss(0.05), "{squad:?}");
    assert!(squad.difference.interval.high < 0.0);
    let back = compare(&worse, &better, None).expect("the same data");
    let squad = back.iter().find(|row| row.domain == "squad").expect("it");
    assert!(!squad.is_loss(0.05) && squad.p_value.is_some_and(|p| p < 0.05));
}

#[test]
fn methods_are_paired_by_name() {
    let all = of_records("a", Fixture::one_target().records());
    let rows = compare(&all, &all, None).expect("the same set");
    let methods: Vec<_> = rows.iter().filter_map(|row| row.method.clone()).collect();
    assert_eq!(rows.len(), 6);
    assert!(methods.contains(&"untuned".to_owned()), "{methods:?}");
    let error = compare(&all, &set("b", Method::Model), None).expect_err("other methods");
    assert!(error.to_string().contains("the list of methods"), "{error}");
}

#[test]
fn differences_between_sets_are_named() {
    let one = set("a", Method::Model);
    let refused = |change: &dyn Fn(&mut Run)| {
        let mut other = one.clone();
        change(&mut other.runs[1]);
        compare(&one, &other, None)
            .expect_err("must be refused")
            .to_string()
    };
    let squad = |run: &mut Run| std::mem::take(run.answers.get_mut("squad").expect("it"));
    let edit = |change: &dyn Fn(&mut Prediction)| {
        refused(&|run| {
            let mut all = squad(run);
            change(&mut all[3]);
            run.answers.insert("squad".to_owned(), all);
        })
    };
    let text = refused(&|run| {
        run.answers.remove("textbookqa");
    });
    assert_has(&text, "the list of domains is squad, textbookqa");
    let text = refused(&|run| {
        let fact = "cut: the longest input".to_owned();
        run.facts.insert(fact, "64 tokens".to_owned());
    });
    assert_has(&text, "cut: the longest input is 256 tokens");
    let text = refused(&|run| {
        for (what, hash) in &mut run.facts {
            if what.contains("squad/test") {
                *hash = "0".to_owned();
            }
        }
    });
    assert_has(&text, "data: SHA-256 of squad/test");
    let text = edit(&|prediction| prediction.input_tokens = 61);
    assert_has(&text, "template or cut: the input is 60 tokens");
    let text = edit(&|prediction| prediction.answers = vec!["other".to_owned()]);
    assert_has(&text, "squad-3");
    assert_has(&text, "right answers");
    let text = edit(&|prediction| prediction.id = "squad-4".to_owned());
    assert_has(&text, "'squad-4' of squad twice");
    let text = refused(&|run| {
        let mut all = squad(run);
        all.pop();
        run.answers.insert("squad".to_owned(), all);
    });
    assert_has(&text, "the number of examples of squad");
}

#[test]
fn a_run_occurs_in_a_set_once() {
    let one = set("a", Method::Model);
    let mut twice = one.clone();
    twice.runs[2].seed = 0;
    let error = compare(&one, &twice, None).expect_err("must be refused");
    let holds = error.to_string().contains("model tuning with seed 0");
    assert!(holds, "{error}");
}

#[test]
fn an_unknown_metric_is_an_error_that_lists_the_known_ones() {
    let one = set("a", Method::Model);
    let error = compare(&one, &one, Some("bleu")).expect_err("no such metric");
    assert!(
        error
            .to_string()
            .contains("wanted a metric of squad (f1, exact_match)"),
        "{error}"
    );
}

#[test]
fn single_runs_have_a_test_of_discordant_answers() {
    let (one, other) = (first("a", Method::Model, 1), first("a", Method::Prompt, 1));
    let rows = compare(&one, &other, None).expect("paired");
    let found = rows[0].discordant.expect("single runs");
    let right = |set: &Set| {
        let squad = set.runs[0].answers["squad"].iter();
        let scores = squad.map(|prediction| match prediction.score {
            Score::Span { exact_match, .. } => exact_match,
            _ => 0.0,
        });
        scores.sum::<f64>()
    };
    let alone = found.first_only as f64 - found.second_only as f64;
    assert_eq!(alone, right(&one) - right(&other), "{found:?}");
    assert!(found.first_only > 0 && found.second_only > 0, "{found:?}");
    let rows = compare(&set("a", Method::Model), &set("b", Method::Prompt), None).expect("paired");
    assert_eq!(rows[0].discordant, None);
}

/// The verdict with these numbers of runs.
fn said(runs: [usize; 2]) -> String {
    let [a, b] = [("a", runs[0]), ("b", runs[1])];
    let sides = [a, b].map(|(name, runs)| first(name, Method::Model, runs));
    let rows = compare(&sides[0], &sides[1], None).expect("the same data");
    assert!(rows.iter().all(|row| row.runs == runs));
    verdict::verdict(&rows, 0.05)
}

#[test]
fn the_verdict_on_a_single_run_says_what_the_level_does_not_cover() {
    let warns = "one run: the level is for these runs on other passages, not for other seeds";
    for (runs, sides) in [
        ([1, 1], "A and B have"),
        ([1, 3], "A has"),
        ([2, 1], "B has"),
    ] {
        let words = said(runs);
        assert_has(&words, &format!("{sides} {warns}"));
    }
    // Two runs on each side are enough to show the variance between seeds.
    assert!(!said([2, 2]).contains("one run"));
}

#[test]
fn the_untuned_model_does_not_count_as_a_single_run() {
    let all = of_records("a", Fixture::one_target().records());
    let rows = compare(&all, &all, None).expect("the same set");
    assert!(rows.iter().any(|row| row.runs == [1, 1]));
    assert!(rows.iter().all(|row| row.is_single == [false, false]));
    assert!(!verdict::verdict(&rows, 0.05).contains("one run"));
}

#[test]
fn the_share_of_significant_differences_between_two_seeds_depends_on_the_level() {
    let (better, worse) = (first("a", Method::Model, 1), first("b", Method::Prompt, 1));
    let rows = compare(&better, &worse, None).expect("the same data");
    // R: 2 * pnorm(-qnorm(1 - c(.05, .01, .5) / 2) / sqrt(2)) is 0.1658, 0.0685, 0.6334.
    for (alpha, share) in [(0.05, 17), (0.01, 7), (0.5, 63)] {
        let words = verdict::verdict(&rows, alpha);
        let wanted = format!("in about {share} of 100 comparisons");
        assert!(words.contains(&wanted), "{alpha}: {words}");
    }
}

#[test]
fn one_passage_gives_no_verdict() {
    let small = |method: Method| {
        let mut records = Fixture::one_target().of_passages(1).records();
        records.retain(|stored| stored.record.cell.method == method);
        for stored in &mut records {
            // All answers right or all wrong, in every run.
            let right = f64::from(u8::from(method == Method::Model));
            for prediction in stored.predictions.iter_mut().flatten() {
                let (exact_match, f1) = (right, right);
                prediction.score = Score::Span { exact_match, f1 };
            }
        }
        of_records("a", records)
    };
    let rows = compare(&small(Method::Model), &small(Method::Prompt), None).expect("the same data");
    for row in &rows {
        assert_eq!((row.passages, row.difference.value), (1, -1.0));
        assert_eq!((row.p_value, row.is_loss(0.5)), (None, false));
    }
    let words = verdict::verdict(&rows, 0.05);
    assert_eq!(
        words,
        "No verdict.\nThere is no verdict for a single passage, which says nothing about others: squad and textbookqa."
    );
}

#[test]
fn identical_sets_are_reported_as_identical() {
    let one = set("a", Method::Model);
    let rows = compare(&one, &one, None).expect("the same set");
    let words = verdict::verdict(&rows, 0.05);
    assert!(words.starts_with("A and B are identical"), "{words}");
    assert!(!words.contains("would be detected"), "{words}");
}

#[test]
fn a_loss_is_named_and_without_one_the_detectable_difference_is_given() {
    let (better, worse) = (set("a", Method::Model), set("b", Method::Prompt));
    let rows = compare(&better, &worse, None).expect("the same data");
    let words = verdict::verdict(&rows, 0.05);
    let holds = words.starts_with("B loses: ") && words.contains(" on squad");
    assert!(holds, "{words}");
    let rows = compare(&worse, &better, None).expect("the same data");
    let words = verdict::verdict(&rows, 0.05);
    assert!(words.starts_with("No significant loss"), "{words}");
    assert_has(&words, "would be detected in four of five");
}

/// Two runs that differ only in their seed, with equal variance between seeds and between passages.
#[test]
fn simulated_pairs_of_seeds_differ_significantly_as_often_as_the_formula_says() {
    let mut uniform = uniform(0x9E37_79B9_7F4A_7C15);
    // The sum of twelve uniform numbers is nearly normal, with variance 1.
    let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
    let (studies, passages) = (600, 60);
    let mut significant = 0;
    for study in 0..studies {
        let mut run = || -> Vec<Sample> {
            let shift = 0.5 + normal() / f64::from(passages).sqrt();
            let passages = (0..passages).map(|passage| passage.to_string());
            passages
                .map(|passage| Sample::new(0, passage, Sum::once(shift + normal())))
                .collect()
        };
        let panel = Panel::new(&[run(), run()]);
        let scores = Bootstrap::new(400, study).scores(&[panel]).remove(0);
        let [Some(one), Some(other)] = scores.as_slice() else {
            panic!("two runs")
        };
        significant += u32::from(one.minus(other).p_value().is_some_and(|p| p < 0.05));
    }
    let share = f64::from(significant) / studies as f64;
    // 17 of 100 by the formula of the verdict.
    assert!((0.11..=0.2).contains(&share), "{share}");
}
