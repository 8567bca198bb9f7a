//! Checks of every tuning method on any backbone, for `methods`, `decoder_only` and `bert`.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use promptshift::backbone::Backbone;
use promptshift::batch::{Batch, Encoding, encode};
use promptshift::checkpoint::Weights;
use promptshift::domain::{Example, Task};
use promptshift::eval::predict::{Answer, predict};
use promptshift::layers::{Dropout, GradientCheckpointing, Pass};
use promptshift::network::Network;
use promptshift::provenance::{self, Origin};
use promptshift::recipe::{
    FrozenWeights, Limits, Method, Objective, Recipe, Reduction, StepMemory,
};
use promptshift::record::{Cell, Provenance, SavedDelta, Setting};
use promptshift::train::{
    Checkpointer, Course, Event, Fitted, Fitting, Trainer, TrainingSet, optimizer,
};
use promptshift::transfer::Transfer;
use promptshift::tuning::saved::{
    self, AdapterFile, Metadata, PromptFile, SavedError, SavedTraining, restored, save_trained,
};
use promptshift::tuning::{self, MethodInputs, Parameter, Parameters, Tuned};

use crate::tuning::subspace_for;

/// The text before the input, for methods that have one.
const PREAMBLE: [u32; 3] = [20, 21, 22];

/// The backbone and data for the checks.
pub struct Ground {
    pub backbone: Backbone,
    pub limits: Limits,
    /// The labels of a head's classes.
    pub labels: Vec<String>,
    /// The seed of initialisation and training.
    pub seed: u64,
}

static SCORES: AtomicUsize = AtomicUsize::new(0);

impl Ground {
    /// Checks with questions on passages.
    pub fn of(backbone: Backbone) -> Self {
        Ground {
            backbone,
            limits: Limits::default_for(Task::ExtractiveQa),
            labels: Vec::new(),
            seed: 1,
        }
    }

    /// Checks with inputs of so many tokens.
    pub fn reading(self, input: usize) -> Self {
        let limits = Limits {
            input,
            ..self.limits
        };
        Ground { limits, ..self }
    }

    fn words(&self, recipe: &Recipe) -> MethodInputs {
        MethodInputs {
            preamble: PREAMBLE.to_vec(),
            subspace: subspace_for(recipe, &self.backbone),
            ..MethodInputs::default()
        }
    }

    pub fn apply(&self, recipe: &Recipe) -> Tuned {
        let words = self.words(recipe);
        tuning::apply(&self.backbone, recipe, &words, self.seed).expect("a valid recipe")
    }

    pub fn training_set(&self, examples: &[Example]) -> TrainingSet {
        TrainingSet::of_source(examples, &self.backbone.tokenizer, &self.limits)
    }

    /// Trains and keeps the last step.
    pub fn train(&self, recipe: &Recipe, examples: &[Example]) -> Fitted {
        self.fit(self.apply(recipe), recipe, examples)
    }

    /// Trains from this start and keeps the last step.
    pub fn fit(&self, start: Tuned, recipe: &Recipe, examples: &[Example]) -> Fitted {
        let set = self.training_set(examples);
        let mut fit = Fitting::new(start, &set, recipe, self.seed, None).expect("nothing was kept");
        while next(&mut fit).is_some() {}
        fit.finish()
    }

    pub fn answers(&self, tuned: &Tuned, examples: &[Example]) -> Vec<Answer> {
        let tokenizer = &self.backbone.tokenizer;
        let encodings = encode(examples, tokenizer, &self.limits);
        let answering = predict(tuned, &encodings, tokenizer, &self.labels, &self.limits);
        answering.finish().expect("numbers")
    }

    /// Saves the result of a cell's run in `folder`.
    pub fn save(
        &self,
        tuned: &Tuned,
        method: Method,
        recipe: &Recipe,
        folder: &Path,
    ) -> SavedDelta {
        let (cell, provenance) = self.cell(method, recipe);
        tuned
            .save(&cell, &self.backbone.config, &provenance, folder)
            .expect("written")
    }

    fn cell(&self, method: Method, recipe: &Recipe) -> (Cell, Provenance) {
        let origin = Origin {
            command: String::new(),
            data_sha256: BTreeMap::new(),
            model_sha256: self.backbone.model_sha256.clone(),
            tokenizer_sha256: self.backbone.tokenizer_sha256.clone(),
            device: "cpu".to_string(),
            threads: 1,
            side_by_side: 1,
        };
        let cell = Cell {
            setting: Setting::new(
                &Transfer {
                    source: "squad".to_owned(),
                    targets: vec!["textbookqa".to_owned()],
                },
                &self.backbone.name,
                "mini",
                self.limits,
            ),
            method,
            seed: self.seed,
            trials: None,
            recipe: Some(recipe.clone()),
            elsewhere: None,
        };
        (cell, provenance::collect(origin))
    }

    /// Asserts that training changes every tensor that the recipe trains and no other; returns the trained result.
    pub fn moves_what_is_trained_alone(
        &self,
        method: Method,
        recipe: &Recipe,
        examples: &[Example],
    ) -> Tuned {
        let before = by_path(&self.apply(recipe));
        let trained = self.train(recipe, examples).best;
        let after = by_path(&trained);
        assert_eq!(
            before.keys().collect::<Vec<_>>(),
            after.keys().collect::<Vec<_>>()
        );
        for (path, start) in &before {
            let moved = bits(start) != bits(&after[path]);
            assert_eq!(moved, start.trainable, "{}: {path}", method.name());
        }
        trained
    }

    /// Asserts that a trained result has as many parameters as counted, is the same and answers the same after
    /// saving, and is refused on other weights; returns the saved file.
    pub fn is_the_same_once_saved(
        &self,
        method: Method,
        recipe: &Recipe,
        tuned: &Tuned,
        examples: &[Example],
    ) -> SavedDelta {
        let (name, backbone) = (method.name(), &self.backbone);
        let folder = tempfile::tempdir().expect("a folder");
        let saved = self.save(tuned, method, recipe, folder.path());
        let path = folder.path().join(&saved.file);
        // A text before the input is stored, but has no tuned parameters.
        let words = match recipe.trains() {
            true => 0,
            false => PREAMBLE.len() * backbone.config.width(),
        };
        let counted = Parameters::of(recipe, &backbone.config).stored + words;
        let file = std::fs::read(&path).expect("written");
        assert_eq!(saved.bytes, file.len() as u64, "{name}");
        assert_eq!(bytes_of_tensors(&file), 4 * counted, "{name}");

        let restored = opened(&path, backbone).expect("its own backbone");
        assert!(values(tuned) == values(&restored), "{name}");
        assert_eq!(
            self.answers(tuned, examples),
            self.answers(&restored, examples),
            "{name}"
        );
        if saved.file != WHOLE_MODEL {
            let other = Backbone {
                model_sha256: "0".repeat(64),
                ..backbone.clone()
            };
            let refused = opened(&path, &other).expect_err("other weights");
            let refused = refused.to_string();
            assert!(refused.contains("tuned for the backbone"), "{refused}");
        }
        saved
    }

    /// Asserts that a trained result is the same after writing it and reading it onto a newly loaded backbone: every
    /// parameter, the answers, and the result of further tuning; returns the written file.
    pub fn is_the_same_once_restored(
        &self,
        method: Method,
        recipe: &Recipe,
        examples: &[Example],
        anew: &Backbone,
    ) -> SavedTraining {
        let name = method.name();
        let config = &self.backbone.config;
        let left = self.train(recipe, examples).best;
        let (cell, provenance) = self.cell(method, recipe);
        let metadata = Metadata::of_cell(&cell, config.kind(), &provenance);
        let folder = tempfile::tempdir().expect("a folder");
        let saved = save_trained(&left, recipe, config, &metadata, folder.path());
        let saved = saved.expect("written");
        let path = folder.path().join(&saved.trained.file);
        let words = self.words(recipe);
        let restored = restored(anew, recipe, &words, self.seed, &path).expect("its own");
        assert!(values(&left) == values(&restored), "{name}");

        let answering = [&left, &restored].map(|tuned| tuned.clone().into_inference());
        let [one, other] = answering.each_ref().map(values);
        assert!(one == other, "{name}: finished");
        let [one, other] = answering.map(|tuned| self.answers(&tuned, examples));
        assert_eq!(one, other, "{name}");
        let alone = self.save(
            &left.clone().into_inference(),
            method,
            recipe,
            folder.path(),
        );
        assert_eq!(alone, saved.answering, "{name}");

        if recipe.trains() {
            let mut on = recipe.clone();
            on.budget.steps = 2;
            on.budget.evaluate_every = 1;
            on.objective.dropout = 0.1;
            let [one, other] = [left, restored].map(|tuned| {
                let start = tuning::resumed(tuned, &on, config);
                self.fit(start, &on, examples)
            });
            assert_eq!(losses(&one), losses(&other), "{name}");
            assert!(values(&one.best) == values(&other.best), "{name}: tuned on");
        }
        saved
    }

    /// Asserts that a training interrupted after a step and after a validation ends bit-identical to an uninterrupted
    /// one, and that another training does not resume from it.
    pub fn goes_on_as_if_it_had_not_been_broken_off(
        &self,
        method: Method,
        mut recipe: Recipe,
        examples: &[Example],
    ) {
        let name = method.name();
        recipe.budget.steps = 6;
        recipe.budget.evaluate_every = 2;
        recipe.objective.dropout = 0.1;
        let whole = self.train(&recipe, examples);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let set = self.training_set(examples);
        let begin = |of: &str| {
            let checkpointer = Checkpointer::new(folder.path().join("begun"), of.to_owned());
            let fit = Fitting::new(
                self.apply(&recipe),
                &set,
                &recipe,
                self.seed,
                Some(checkpointer),
            );
            fit.expect("what was kept can be read")
        };
        // After a step, after a validation, and again.
        for last in [3, 4] {
            let mut fit = begin("this");
            let mut taken = 0;
            while let Some(event) = next(&mut fit) {
                match event {
                    Event::Step { step, .. } if step == last && step % 2 == 1 => break,
                    Event::Step { step, .. } => taken = step,
                    Event::ValidationDue if taken == last => break,
                    _ => {}
                }
            }
            fit.keep().expect("a folder to write to");
        }
        let mut fit = begin("this");
        let resumed = next(&mut fit);
        assert!(
            matches!(resumed, Some(Event::Resumed { step: 4 })),
            "{name}: {resumed:?}"
        );
        while next(&mut fit).is_some() {}
        let end = fit.finish();
        assert_eq!(losses(&whole), losses(&end), "{name}");
        assert_eq!((whole.best_step, whole.tokens), (end.best_step, end.tokens));
        let (one, other) = (by_path(&whole.best), by_path(&end.best));
        for (path, parameter) in &one {
            assert_eq!(bits(parameter), bits(&other[path]), "{name}: {path}");
        }
        let first = next(&mut begin("another"));
        assert!(
            !matches!(first, Some(Event::Resumed { .. })),
            "{name}: what another training left is not gone on from"
        );
    }
}

impl Ground {
    /// Asserts that frozen weights in bf16 train and answer as their rounded numbers in f32 do, in half the memory, and
    /// that the loss is that of the weights as read to three digits.
    pub fn trains_beside_weights_in_bf16(
        &self,
        method: Method,
        recipe: &Recipe,
        examples: &[Example],
    ) {
        let name = method.name();
        let with = |backbone: Backbone| Ground {
            backbone,
            labels: self.labels.clone(),
            ..*self
        };
        let rounded = (self.backbone.clone()).with_frozen_weights(FrozenWeights::Bf16);
        let in_f32 = (rounded.model).with_weights(&rounded.config, rounded.model.weights());
        let grounds = [
            with(Backbone {
                model: in_f32.expect("its own weights"),
                ..rounded.clone()
            }),
            with(rounded),
        ];
        let [wide, narrow] = grounds.each_ref().map(|ground| {
            let fitted = ground.train(recipe, examples);
            let answers = ground.answers(&fitted.best.clone().into_inference(), examples);
            let ids: Vec<Vec<u32>> = answers.into_iter().map(|it| it.token_ids).collect();
            (losses(&fitted), by_path(&fitted.best), ids)
        });
        assert_eq!(wide.0, narrow.0, "{name}: losses");
        for (path, parameter) in &wide.1 {
            assert_eq!(bits(parameter), bits(&narrow.1[path]), "{name}: {path}");
        }
        assert_eq!(wide.2, narrow.2, "{name}: answers");
        let of_first = |losses: &[(usize, Option<u64>)]| {
            let loss = losses.iter().find_map(|(_, loss)| *loss);
            f64::from_bits(loss.expect("a step before the first validation"))
        };
        let as_read = of_first(&losses(&self.train(recipe, examples)));
        let apart = (as_read - of_first(&narrow.0)).abs() / as_read;
        assert!(apart < 1e-2, "{name}: {apart} of the loss");
        if method == Method::Prompt {
            let bytes = [self, &grounds[1]].map(|ground| ground.apply(recipe).weight_bytes());
            let share = bytes[1] as f64 / bytes[0] as f64;
            assert!((0.5..0.65).contains(&share), "{share} of the bytes");
        }
    }

    /// That gradient checkpointing and micro-batches compute the gradients of a batch that is computed at once.
    pub fn saves_memory_without_other_gradients(
        &self,
        method: Method,
        recipe: &Recipe,
        examples: &[Example],
    ) {
        let name = method.name();
        let tuned = self.apply(recipe);
        let encodings = encode(examples, &self.backbone.tokenizer, &self.limits);
        let batch = |rows: &[Encoding]| {
            Batch::of(
                &rows.iter().collect::<Vec<_>>(),
                self.backbone.tokenizer.pad(),
            )
        };
        let gradients = |rows: &[Encoding], dropout: f64, checkpointing| {
            let batch = batch(rows);
            let mut pass = Pass::training(Dropout::new(dropout, 3), checkpointing);
            let encoded = tuned.encode(&batch.inputs, &mut pass);
            let losses = (tuned.backbone).token_losses(&encoded, &batch.targets, 1e-4, &mut pass);
            let (grads, dropout) = pass.gradients(&losses.sum(), &tuned);
            (gradients_of(&tuned, &grads), dropout.taken())
        };
        let (at_once, masks) = gradients(&encodings, 0.1, GradientCheckpointing::Off);
        let (again, as_many) = gradients(&encodings, 0.1, GradientCheckpointing::Blocks);
        assert!(!at_once.is_empty(), "{name}: something is trained");
        assert_eq!(masks, as_many, "{name}: dropout takes each mask once");
        assert_close(name, &at_once, &again);

        let (at_once, _) = gradients(&encodings, 0.0, GradientCheckpointing::Off);
        let (mut parts, mut first) = (Vec::new(), 0);
        for size in [1, 2, encodings.len() - 3] {
            let rows = &encodings[first..first + size];
            parts.push(gradients(rows, 0.0, GradientCheckpointing::Blocks).0);
            first += size;
        }
        assert_close(name, &at_once, &summed(parts.into_iter()));
    }
}

impl Ground {
    /// That replicas, on one device and on several, with and without micro-batches, compute the gradients of a batch
    /// that is computed at once; that the number of devices changes no bit, also with dropout and after an update; and
    /// that each replica takes dropout masks of its own.
    pub fn replicas_add_up_to_the_batch(
        &self,
        method: Method,
        recipe: &Recipe,
        examples: &[Example],
    ) {
        let name = method.name();
        let encodings = encode(examples, &self.backbone.tokenizer, &self.limits);
        let pad = self.backbone.tokenizer.pad();
        let batch = |rows: &[Encoding]| Batch::of(&rows.iter().collect::<Vec<_>>(), pad);
        let whole = batch(&encodings);
        let trainer = |replicas: usize, micro_batch, dropout, further: usize| {
            let course = Course {
                learning_rate: recipe.optimizer.learning_rate(),
                schedule: recipe.schedule,
                steps: 2,
            };
            let objective = Objective {
                dropout,
                ..recipe.objective.clone()
            };
            let memory = StepMemory {
                replicas: NonZeroUsize::new(replicas).expect("not 0"),
                micro_batch,
                gradient_checkpointing: GradientCheckpointing::Off,
            };
            let optimizer = optimizer(&recipe.optimizer);
            // The CPU again stands for another device: a thread with its own copy of what is tuned.
            let further = vec![self.backbone.model.device(); further];
            Trainer::new(self.apply(recipe), optimizer, course, objective, self.seed)
                .saving(memory)
                .on(&further)
        };
        let gradients = |trainer: &mut Trainer| {
            let (loss, grads) = trainer.gradients(&whole).expect("a finite loss");
            (loss, gradients_of(trainer.tuned(), &grads))
        };
        let (loss, at_once) = gradients(&mut trainer(1, None, 0.0, 0));
        for (replicas, micro_batch, further) in [
            (3, None, 0),
            (3, None, 2),
            // More replicas than devices, and more devices than replicas.
            (3, Some(1), 1),
            (2, Some(2), 3),
            (examples.len(), None, 1),
        ] {
            let (shared, sum) = gradients(&mut trainer(replicas, micro_batch, 0.0, further));
            assert_eq!(loss.tokens, shared.tokens);
            assert!((loss.sum - shared.sum).abs() < 1e-5 * loss.sum, "{name}");
            assert_close(name, &at_once, &sum);
        }

        let [mut one, mut several] = [0, 2].map(|further| trainer(3, Some(1), 0.1, further));
        for step in 0..2 {
            let [(loss, of_one), (same, of_several)] = [&mut one, &mut several].map(gradients);
            assert_eq!(loss, same, "{name}, step {step}");
            assert!(of_one == of_several, "{name}, step {step}");
            let [loss, same] = [&mut one, &mut several].map(|trainer| trainer.step(&whole));
            assert_eq!(loss.expect("finite"), same.expect("finite"), "{name}");
        }
        assert!(values(one.tuned()) == values(several.tuned()), "{name}");

        // Shares are equal: of six examples three.
        let tuned = self.apply(recipe);
        let half = encodings.len().div_ceil(2);
        let shares = encodings.chunks(half).enumerate().map(|(replica, rows)| {
            let batch = batch(rows);
            let dropout = Dropout::new(0.1, self.seed).resumed((replica as u64) << 40);
            let mut pass = Pass::training(dropout, GradientCheckpointing::Off);
            let encoded = tuned.encode(&batch.inputs, &mut pass);
            let z_loss = recipe.objective.z_loss;
            let losses = (tuned.backbone).token_losses(&encoded, &batch.targets, z_loss, &mut pass);
            let loss = match recipe.objective.reduction {
                Reduction::Sum => losses.sum(),
                Reduction::Mean => losses.sum() / whole.targets.count() as f64,
            };
            gradients_of(&tuned, &pass.gradients(&loss, &tuned).0)
        });
        let (_, sum) = gradients(&mut trainer(2, None, 0.1, 1));
        assert_close(name, &summed(shares), &sum);
    }
}

/// The sums of gradients.
fn summed(parts: impl Iterator<Item = BTreeMap<String, Vec<f32>>>) -> BTreeMap<String, Vec<f32>> {
    let sum = parts.reduce(|mut sum, part| {
        assert_eq!(
            sum.keys().collect::<Vec<_>>(),
            part.keys().collect::<Vec<_>>()
        );
        for (total, more) in sum.values_mut().flatten().zip(part.values().flatten()) {
            *total += more;
        }
        sum
    });
    sum.expect("at least one part")
}

/// The gradient of every parameter that has one, by the parameter's name.
fn gradients_of(tuned: &Tuned, grads: &GradientsParams) -> BTreeMap<String, Vec<f32>> {
    struct Found<'a>(&'a GradientsParams, Vec<Vec<f32>>);
    impl ModuleVisitor for Found<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.0.get::<D>(param.id);
            let values = gradient.map(|it| it.into_data().try_to_vec().expect("f32"));
            self.1.push(values.unwrap_or_default());
        }
    }
    let mut found = Found(grads, Vec::new());
    tuned.visit(&mut found);
    let parameters = tuned.parameters();
    assert_eq!(parameters.len(), found.1.len());
    let named = parameters.into_iter().map(|parameter| parameter.path);
    let named = named.zip(found.1);
    named.filter(|(_, values)| !values.is_empty()).collect()
}

/// Each tensor's difference, relative to its norm, is rounding.
fn assert_close(name: &str, one: &BTreeMap<String, Vec<f32>>, other: &BTreeMap<String, Vec<f32>>) {
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        other.keys().collect::<Vec<_>>(),
        "{name}"
    );
    let norm = |values: &mut dyn Iterator<Item = f32>| {
        let squares: f64 = values.map(|value| f64::from(value).powi(2)).sum();
        squares.sqrt()
    };
    let largest = one.values().map(|it| norm(&mut it.iter().copied()));
    let largest = largest.fold(0.0, f64::max);
    assert!(largest > 0.0, "{name}: no gradient");
    for (path, one) in one {
        let other = &other[path];
        assert_eq!(one.len(), other.len(), "{name}: {path}");
        let apart = norm(&mut one.iter().zip(other).map(|(a, b)| a - b));
        let bound = 1e-5 * norm(&mut one.iter().copied()) + 1e-7 * largest;
        assert!(
            apart <= bound,
            "{name}: {path} differs by {apart}, at most {bound}"
        );
    }
}

/// The next event of a training; a due validation is done and scores higher than any before it, including before
/// resuming.
fn next(fit: &mut Fitting) -> Option<Event> {
    let event = fit.next_event().expect("a finite loss");
    if let Some(Event::ValidationDue) = event {
        let score = SCORES.fetch_add(1, Ordering::Relaxed) as f64;
        fit.validate(|_| Ok(score)).expect("a score");
    }
    event
}

/// The bits of the loss at each point of the curve.
fn losses(fitted: &Fitted) -> Vec<(usize, Option<u64>)> {
    let points = fitted.curve.iter();
    points
        .map(|point| (point.step, point.train_loss.map(f64::to_bits)))
        .collect()
}

/// The file of a method that saves a whole model.
const WHOLE_MODEL: &str = "model.safetensors";

/// The saved result of a run, on a backbone.
fn opened(path: &Path, backbone: &Backbone) -> Result<Tuned, SavedError> {
    let name = path.file_name().map(|name| name.to_string_lossy());
    match name.as_deref() {
        Some(saved::PROMPT_FILE) => PromptFile::open(path)?.onto(backbone),
        Some(saved::ADAPTER_FILE) => AdapterFile::open(path)?.onto(backbone),
        Some(WHOLE_MODEL) => {
            let weights = Weights::read(path).expect("written");
            let device = backbone.model.device();
            let model = Network::load(&backbone.config, weights, &device).expect("all of it");
            Ok(Tuned::untuned(model))
        }
        other => panic!("a file of another name, {other:?}"),
    }
}

/// The number of bytes of tensors in a safetensors file: the rest after the eight bytes of the header's length and
/// the header.
fn bytes_of_tensors(file: &[u8]) -> usize {
    let (length, behind) = file.split_at(8);
    let header = u64::from_le_bytes(length.try_into().expect("eight bytes"));
    behind.len() - header as usize
}

fn bits(parameter: &Parameter) -> Vec<u32> {
    parameter.values.iter().map(|v| v.to_bits()).collect()
}

/// Every tensor with its bits.
fn values(tuned: &Tuned) -> BTreeMap<String, Vec<u32>> {
    let parameters = by_path(tuned).into_iter();
    parameters.map(|(path, p)| (path, bits(&p))).collect()
}

fn by_path(tuned: &Tuned) -> BTreeMap<String, Parameter> {
    let parameters = tuned.parameters().into_iter();
    parameters.map(|p| (p.path.clone(), p)).collect()
}
