//! Reports on incomplete records: missing runs and methods, older records, and different kinds of hardware.

use super::*;
use promptshift_numbers::record::folder::End;
use promptshift_numbers::record::search::{Search, Trial, TrialEnd};
use promptshift_numbers::record::{Cell, Texts};

#[test]
fn a_missing_cell_is_missing_and_not_zero() {
    let mut records = records();
    let key = |cell: &Cell| (cell.method, cell.seed);
    records.retain(|stored| key(&stored.record.cell) != (Method::Model, 1));
    let report = report(&records);
    let row = "| model tuning, 1 | missing | missing | missing | missing |";
    assert_has(&report.markdown, row);
    assert!(cautioned(&report).contains(&"seeds"));
}

/// The section on cost, and the number of panels in its figure.
fn costs(report: &Report) -> (String, usize) {
    let from = report.markdown.find("## Cost").expect("a section");
    let section = &report.markdown[from..];
    let to = section[2..]
        .find("\n## ")
        .map_or(section.len(), |end| end + 2);
    let figure = (report.figures.iter()).find(|figure| figure.name.starts_with("costs"));
    let panels = figure.expect("a figure").svg.matches("[%]").count();
    (section[..to].to_owned(), panels)
}

#[test]
fn times_on_different_hardware_are_not_compared() {
    let mut records = records();
    let (like, panels) = costs(&report(&records));
    assert!(like.contains("training seconds") && like.contains("peak host memory"));
    assert_eq!(panels, 3);
    let model = |stored: &&mut StoredRecord| stored.record.cell.method == Method::Model;
    for stored in records.iter_mut().filter(model) {
        stored.record.provenance.gpu = Some("Synthetic GPU".to_owned());
        stored.record.provenance.device = format!("cuda:{}", stored.record.cell.seed);
    }
    let rendered = report(&records);
    let (unlike, panels) = costs(&rendered);
    for measured in [
        "training seconds",
        "tokens/s",
        "peak host memory",
        "examples/s",
    ] {
        assert!(!unlike.contains(measured), "{measured}: {unlike}");
    }
    assert_has(&unlike, "| trainable parameters |");
    let machines = "(Synthetic CPU (cpu); Synthetic GPU with Synthetic CPU)";
    assert_has(&unlike, machines);
    assert_eq!(panels, 1);
    assert!(cautioned(&rendered).contains(&"several machines"));
}

#[test]
fn the_number_of_runs_that_shared_the_machine_is_reported() {
    let mut records = records();
    assert!(!costs(&report(&records)).0.contains("shared the machine"));
    for stored in &mut records {
        stored.record.provenance.side_by_side = 4;
    }
    let (section, _) = costs(&report(&records));
    assert_has(&section, "Up to 4 runs shared the machine");
    records[1].record.provenance.side_by_side = 2;
    let (section, _) = costs(&report(&records));
    assert_has(&section, "(2 and 4 at a time)");
}

/// The records without those of the given cells, and these cells as unfinished.
fn without(wanted: impl Fn(Method, u64) -> bool, end: End) -> (Vec<StoredRecord>, Vec<Unfinished>) {
    let is_gone =
        |stored: &StoredRecord| wanted(stored.record.cell.method, stored.record.cell.seed);
    let (gone, kept): (Vec<_>, Vec<_>) = records().into_iter().partition(is_gone);
    let unfinished = gone.into_iter().map(|stored| Unfinished {
        cell: stored.record.cell,
        end: end.clone(),
    });
    (kept, unfinished.collect())
}

#[test]
fn a_failed_run_is_failed_and_not_zero() {
    let reason = "the loss at step 7 is NaN".to_owned();
    let (records, failed) = without(
        |method, seed| (method, seed) == (Method::Model, 1),
        End::Failed { reason },
    );
    let report = render_with(&records, &failed, "figures").expect("consistent");
    let text = &report.markdown;
    let row = "| model tuning, 1 | failed | failed | failed | failed |";
    assert_has(text, row);
    assert_has(text, "| **model tuning**, 2 seeds, 1 failed |");
    assert!(cautioned(&report).contains(&"failed runs"));
    assert_has(text, "the loss at step 7 is NaN");
    // A record takes precedence over the failure of an earlier attempt.
    let whole = self::records();
    assert_eq!(
        render_with(&whole, &failed, "figures").expect("consistent"),
        render(&whole, "figures").expect("consistent")
    );
}

#[test]
fn a_method_with_only_failed_runs_is_failed() {
    let reason = "the loss at step 0 is NaN".to_owned();
    let (records, failed) = without(|method, _| method == Method::Model, End::Failed { reason });
    let text = render_with(&records, &failed, "figures")
        .expect("consistent")
        .markdown;
    assert_has(&text, "| model tuning | failed | failed | failed |");
    let rows = leaderboard::leaderboard(&records, &failed)
        .expect("consistent")
        .rows;
    let is_whole =
        |row: &leaderboard::Row| row.method != Method::Model && row.failed_seeds.is_empty();
    assert!(rows.iter().all(is_whole));
}

#[test]
fn a_run_that_was_started_is_unfinished() {
    let (records, begun) = without(
        |method, seed| (method, seed) == (Method::Prompt, 2),
        End::Missing,
    );
    let report = render_with(&records, &begun, "figures").expect("consistent");
    let row = "| prompt tuning, 2 | unfinished | unfinished | unfinished | unfinished |";
    assert_has(&report.markdown, row);
    assert!(cautioned(&report).contains(&"unfinished runs"));
}

/// The records, with a search with this number of trials for each method.
fn searched(trials: impl Fn(Method) -> usize) -> Vec<StoredRecord> {
    let mut records = records();
    for stored in &mut records {
        let method = stored.record.cell.method;
        if method == Method::Untuned {
            continue;
        }
        let trial = |place: usize| Trial {
            learning_rate: 0.25 * (1 + place) as f64,
            end: match place {
                2 => TrialEnd::Failed {
                    reason: "NaN".to_owned(),
                },
                _ => TrialEnd::Scored {
                    validation_score: 0.5 + 0.1 * place as f64,
                    best_step: 80,
                    train_seconds: 1.0,
                    train_loss: None,
                },
            },
        };
        let all = (0..trials(method)).map(trial).collect();
        stored.record.cell.trials = Some(trials(method));
        stored.record.search = Some(Search::of(9, all));
    }
    records
}

#[test]
fn every_trial_of_a_search_is_reported() {
    let report = report(&searched(|_| 3));
    let text = &report.markdown;
    // .5, .6 and a failure: 36.7 for one; (.5 · 3 + .6 · 5)/9 for two; (.5 · 7 + .6 · 19)/27 for three.
    let row = "| prompt tuning | 0.25: 50.0; 0.5: 60.0; 0.75: failed | 0.5 | 36.7 | 50.0 | 55.2 |";
    assert_has(text, row);
    assert_has(text, "the best of 3 trials");
    assert!((report.figures.iter()).any(|figure| figure.name == "budget.svg"));
    assert!(!cautioned(&report).contains(&"unequal budgets"));
    let unequal = self::report(&searched(|method| 2 + usize::from(method == Method::Model)));
    assert!(cautioned(&unequal).contains(&"unequal budgets"));
    assert!(self::report(&records()).markdown.contains("had 1 trial"));
}

#[test]
fn a_missing_method_is_missing_and_not_zero() {
    let mut records = records();
    records.retain(|stored| stored.record.cell.method == Method::Prompt);
    let report = report(&records);
    assert_has(
        &report.markdown,
        "| model tuning | missing | missing | missing |",
    );
    assert_eq!(says(&report, Method::Prompt), Some(Says::NoReference));
    assert_eq!(report.comparisons[0].difference, None);
}

#[test]
fn fields_missing_from_older_records_are_reported_as_missing() {
    let mut records = records();
    for stored in &mut records {
        stored.validation.clear();
        stored.record.validation = None;
        for prediction in stored.predictions.iter_mut().flatten() {
            prediction.traits = None;
        }
    }
    let markdown = report(&records).markdown;
    assert_has(&markdown, "Scaled: –");
    assert!(!markdown.contains("question word: who"), "{markdown}");
}

/// Older records, without predictions at checkpoints.
fn without_checkpoints(mut records: Vec<StoredRecord>) -> Vec<StoredRecord> {
    for stored in &mut records {
        stored.checkpoints.clear();
        if let Some(training) = &mut stored.record.training {
            training.checkpoints.clear();
        }
    }
    records
}

#[test]
fn a_line_is_fitted_to_runs_of_model_tuning_and_their_checkpoints() {
    let found = |records: &[StoredRecord]| {
        let mut report = report(records);
        let line = report.comparisons[0].statistics.robustness.remove(0);
        (line, report.markdown)
    };
    let (with, markdown) = found(&Fixture::one_target().records());
    let line = with.line.as_ref().expect("three runs at six steps");
    assert_eq!((line.points, line.runs), (18, 3));
    assert!(with.above.is_some(), "{:?}", with.reason);
    assert_has(&markdown, "which limits the line");
    let (few, markdown) = found(&without_checkpoints(Fixture::one_target().records()));
    assert_eq!(few.line, None);
    assert_has(&markdown, "found 3");
    let falling = Fixture {
        together: -0.6,
        ..Fixture::one_target()
    };
    let (falling, markdown) = found(&falling.records());
    assert!(falling.line.is_some() && falling.above.is_none());
    assert_has(&markdown, "the line falls");
}

#[test]
fn checkpoints_on_other_rows_are_refused() {
    let mut records = records();
    let model = records.iter_mut().find(|one| !one.checkpoints.is_empty());
    model.expect("model tuning has some").checkpoints[1][1].swap(0, 1);
    let error = render(&records, "figures").expect_err("rows in another order");
    assert!(matches!(error, ReportError::Mixed { .. }), "{error}");
    let mut records = self::records();
    let mut trainings = (records.iter_mut()).filter_map(|one| one.record.training.as_mut());
    let training = trainings.find(|one| !one.checkpoints.is_empty());
    training.expect("model tuning has some").checkpoints[1].scores[0].score += 0.01;
    let error = render(&records, "figures").expect_err("a score that is not its predictions'");
    assert!(matches!(error, ReportError::Metric { .. }), "{error}");
}

#[test]
fn peaks_are_shown_by_parts_or_as_not_recorded() {
    let mut records = records();
    let markdown = report(&records).markdown;
    let gradients = "| – gradients | 10.2 kB | 5.8 MB | – |";
    assert_has(&markdown, gradients);
    // 320 MB minus the other parts.
    assert_has(&markdown, "| – remainder | 14.1 MB | 18.3 MB | – |");
    let forget = |stored: &mut StoredRecord, method: Method| {
        if let Some(training) = &mut stored.record.training
            && stored.record.cell.method == method
        {
            training.peak_parts = None;
        }
    };
    (records.iter_mut()).for_each(|one| forget(one, Method::Model));
    let markdown = report(&records).markdown;
    let gradients = "| – gradients | 10.2 kB | not recorded | – |";
    assert_has(&markdown, gradients);
    (records.iter_mut()).for_each(|one| forget(one, Method::Prompt));
    let markdown = report(&records).markdown;
    let none = "| – its parts | not recorded | not recorded | – |";
    assert_has(&markdown, none);
    assert!(!markdown.contains("– gradients"), "{markdown}");
}

#[test]
fn memory_of_a_device_and_of_the_host_are_separate() {
    let mut records = records();
    for stored in &mut records {
        stored.record.provenance.gpu = Some("Synthetic GPU".to_owned());
        stored.record.provenance.device = "cuda:0".to_owned();
        if let Some(training) = &mut stored.record.training {
            let first = stored.record.cell.seed == 0;
            training.peak_parts = None;
            training.reserved_peak_bytes = Some(if first { 3_000_000_000 } else { 2_000_000_000 });
        }
    }
    let rendered = report(&records);
    let (cost, panels) = costs(&rendered);
    let host = "| peak host memory, training | 320.0 MB | 410.0 MB | – |";
    assert!(cost.contains(host), "{cost}");
    // The highest of the seeds.
    let reserved = "| reserved peak of the device, training | 3.00 GB | 3.00 GB | – |";
    assert!(cost.contains(reserved), "{cost}");
    assert!(!cost.contains("its parts"), "{cost}");
    assert!(cost.contains("a reserved peak of 3.00 GB"), "{cost}");
    assert_eq!(panels, 3);
    // One record without it: the method's highest is not known, and the figure shows the host's.
    let training = records
        .iter_mut()
        .find_map(|stored| stored.record.training.as_mut());
    training.expect("a training").reserved_peak_bytes = None;
    let (cost, _) = costs(&report(&records));
    assert!(cost.contains("not recorded"), "{cost}");
    assert!(cost.contains("of host memory at the peak"), "{cost}");
}

#[test]
fn missing_texts_and_small_groups_are_explained() {
    let mut records = Fixture::one_target().of_passages(10).records();
    let markdown = report(&records).markdown;
    assert_has(&markdown, "drawn by a hash");
    for stored in &mut records {
        stored.record.texts = Texts::Hashed;
    }
    let markdown = report(&records).markdown;
    assert_has(&markdown, "hashes in place of texts");
    assert!(!markdown.contains("<summary>Every group"), "{markdown}");
    assert_has(&markdown, "are not scored: none has 50 examples");
}
