//! The forward passes of the networks as allocations: the counterparts of [`t5`](crate::t5), [`bert`](crate::bert) and
//! [`decoder_only`](crate::decoder_only), operation by operation.

use super::pass::{BlockInputs, Pass};
use super::tape::{Dropped, Gate, Heads, Normed, Value};
use crate::batch::Batch;
use crate::bert::{BertConfig, Shape as BertShape};
use crate::decoder_only::{DecoderConfig, LayerKind, Positions, Shape as DecoderShape};
use crate::network::Config;
use crate::t5::T5Config;
use promptshift_numbers::recipe::HeadForm;

/// Keys and values before those of each block, `[P, H·K]` each, or none.
type Prefixes = Vec<[Value; 2]>;

/// The tensors that the method injects.
struct Injected {
    prompt: Option<Value>,
    decoder_prompt: Option<Value>,
    encoder: Prefixes,
    decoder: Prefixes,
    cross: Prefixes,
    /// The label vectors, one row each.
    output: Option<Value>,
}

/// The losses of a batch's targets.
pub(super) fn losses(pass: &Pass, config: &Config, head: Option<HeadForm>, batch: &Batch) -> Value {
    let injected = Injected {
        prompt: prompt(pass, "prompt"),
        decoder_prompt: prompt(pass, "decoder_prompt"),
        encoder: prefixes(pass, "encoder", config.attentions().encoder),
        decoder: prefixes(pass, "decoder", config.attentions().decoder),
        cross: prefixes(pass, "cross", config.attentions().cross),
        output: (pass.parameter("label_vectors.vectors"))
            .map(|vectors| pass.inject(vectors.clone())),
    };
    match config {
        Config::T5(config) => t5(pass, config, injected, batch),
        Config::Bert(config) => bert(pass, config, head, injected, batch),
        Config::DecoderOnly(config) => decoder_only(pass, config, injected, batch),
    }
}

/// A soft prompt `[P, D]`, with the network or the subspace that makes it.
fn prompt(pass: &Pass, path: &str) -> Option<Value> {
    let tape = &pass.tape;
    let vectors = pass.parameter(&format!("{path}.vectors"))?.clone();
    if let Some(directions) = pass.parameter(&format!("{path}.plane.directions")) {
        let mean = pass.known(&format!("{path}.plane.mean"));
        let prompt = tape.linear(vectors, directions, None);
        let prompt = prompt.reshaped(mean.rows, mean.width);
        return Some(pass.inject(tape.sum(prompt, mean.clone())));
    }
    let part = |name: String| pass.parameter(&format!("{path}.network.{name}"));
    let mut x = vectors;
    for layer in 0.. {
        // All positions at once, as if no state depended on another.
        let directions = ["forth", "back"].map(|way| {
            let part = |name: &str| part(format!("lstm.{layer}.{way}.{name}"));
            let (input, hidden) = part("input").zip(part("hidden"))?;
            let gates = tape.linear(x.clone(), input, part("bias"));
            let state = tape.function(gates.reshaped(x.rows, hidden.width));
            let state = tape.pick(&state.reshaped(4 * x.rows, hidden.rows), x.rows);
            let again = tape.linear(state.clone(), hidden, None);
            let again = tape.pick(&again.reshaped(4 * x.rows, hidden.rows), x.rows);
            Some(tape.sum(state, again))
        });
        let [Some(forth), Some(back)] = directions else {
            break;
        };
        x = tape.joined(&[&forth, &back], 1);
        x = x.clone().reshaped(x.rows / 2, 2 * x.width);
    }
    for layer in 0.. {
        let Some(weight) = part(format!("mlp.{layer}.weight")) else {
            break;
        };
        if layer > 0 {
            x = tape.function(x);
        }
        x = tape.linear(x, weight, part(format!("mlp.{layer}.bias")));
    }
    Some(pass.inject(x))
}

/// The prefixes of one kind of attention, with the network that makes them.
fn prefixes(pass: &Pass, kind: &str, blocks: usize) -> Prefixes {
    let tape = &pass.tape;
    let part = |name: &str| pass.parameter(&format!("prefixes.{kind}.{name}"));
    let Some(vectors) = part("vectors") else {
        return Prefixes::new();
    };
    let all = match (part("network.inner"), part("network.outer")) {
        (Some(inner), Some(outer)) => {
            let hidden = tape.linear(vectors.clone(), inner, part("network.inner_bias"));
            tape.linear(tape.function(hidden), outer, part("network.outer_bias"))
        }
        _ => vectors.clone(),
    };
    let width = all.width / (2 * blocks);
    // The gradient of a slice has the size of the whole.
    let columns = all.clone().reshaped(all.rows * 2 * blocks, width);
    let slice = || pass.inject(tape.pick(&columns, all.rows));
    (0..blocks).map(|_| [slice(), slice()]).collect()
}

/// The feed-forward layers of the block at `path`, with the function that a network without gates has.
fn feed_forward(
    pass: &Pass,
    path: &str,
    x: Value,
    kind: Gate,
    plain: impl Fn(Value) -> Value,
    drop: impl Fn(Value) -> Value,
) -> Value {
    let tape = &pass.tape;
    let gate = format!("{path}.gate");
    let up = |x| pass.linear(&format!("{path}.up"), x);
    let hidden = match pass.parameter(&format!("{gate}.weight")) {
        Some(_) => {
            let gate = pass.linear(&gate, x.clone());
            tape.gated(gate, up(x), kind)
        }
        None => plain(up(x)),
    };
    let output = pass.linear(&format!("{path}.down"), drop(hidden));
    pass.adapted(path, post_normed(pass, path, output))
}

/// A stack of T5.
struct Stack<'a> {
    /// Its path.
    path: &'a str,
    blocks: usize,
    heads: usize,
    batch: usize,
}

type At<'a> = &'a mut dyn FnMut(usize, Value) -> Value;

fn t5(pass: &Pass, config: &T5Config, injected: Injected, batch: &Batch) -> Value {
    let tape = &pass.tape;
    let embedding = pass.known("backbone.embedding");
    let examples = batch.inputs.batch();
    let rows = tape.pick(embedding, batch.inputs.ids.len());
    let rows = match &injected.prompt {
        Some(prompt) => tape.joined(&[prompt, &rows], examples),
        None => rows,
    };
    let stack = |path, blocks| Stack {
        path,
        blocks,
        heads: config.num_heads,
        batch: examples,
    };
    let encoder = stack("backbone.encoder", config.num_layers);
    let decoder = stack("backbone.decoder", config.decoder_layers());
    let has_ladder = pass.parameter("backbone.ladder.up").is_some();
    let mut states = Vec::new();
    let mut keep = |_: usize, x: Value| {
        if has_ladder {
            states.push(x.clone());
        }
        x
    };
    let encoder_rows = rows.rows;
    let encoded = t5_encoder(pass, &encoder, rows, &injected.encoder, &mut keep);
    let side = has_ladder.then(|| {
        let stack = stack("backbone.ladder.encoder", config.num_layers);
        let up = pass.known("backbone.ladder.up");
        let nothing = tape.constant(encoder_rows, up.rows);
        let mut mix = |at, x| rung(pass, "backbone.ladder.encoder_rungs", at, x, &states);
        t5_encoder(pass, &stack, nothing, &Prefixes::new(), &mut mix)
    });
    drop(states);

    let embedded = tape.pick(embedding, batch.targets.ids.len());
    let mut states = Vec::new();
    let mut keep = |_: usize, x: Value| {
        if has_ladder {
            states.push(x.clone());
        }
        x
    };
    let decoder_rows = embedded.rows;
    let mut hidden = t5_decoder(pass, &decoder, embedded, &encoded, &injected, &mut keep);
    if let Some(side) = &side {
        let stack = stack("backbone.ladder.decoder", config.decoder_layers());
        let up = pass.known("backbone.ladder.up");
        let nothing = tape.constant(decoder_rows, up.rows);
        let mut mix = |at, x| rung(pass, "backbone.ladder.decoder_rungs", at, x, &states);
        let none = Injected {
            prompt: None,
            decoder_prompt: None,
            encoder: Prefixes::new(),
            decoder: Prefixes::new(),
            cross: Prefixes::new(),
            output: None,
        };
        let side = t5_decoder(pass, &stack, nothing, side, &none, &mut mix);
        hidden = tape.sum(hidden, tape.linear(side, up, None));
    }
    drop(states);
    let states = tape.pick(&hidden, batch.targets.count());
    drop(hidden);
    let states = match config.tie_word_embeddings {
        true => tape.scaled(states),
        false => states,
    };
    let vocabulary = embedding.rows;
    let logits = match (&injected.output, pass.parameter("backbone.head.weight")) {
        (Some(vectors), _) => {
            let few = tape.linear(
                states,
                &vectors.clone().reshaped(vectors.width, vectors.rows),
                None,
            );
            let place = tape.constant(vectors.rows, vocabulary);
            tape.linear(few, &place, None)
        }
        (None, Some(_)) => pass.linear("backbone.head", states),
        (None, None) => {
            let head = embedding.clone().reshaped(embedding.width, vocabulary);
            tape.linear(states, &head, None)
        }
    };
    tape.losses(logits)
}

/// A ladder's gate: `μ · h W + (1 - μ) · x`.
fn rung(pass: &Pass, path: &str, at: usize, own: Value, states: &[Value]) -> Value {
    let tape = &pass.tape;
    let down = pass.known(&format!("{path}.{at}.down"));
    let gate = pass.known(&format!("{path}.{at}.gate"));
    let state = tape.linear(states[at].clone(), down, None);
    let difference = tape.sum(state, own.clone());
    tape.sum(own, tape.times_row(difference, gate))
}

fn t5_attention(
    pass: &Pass,
    path: &str,
    x: Value,
    [key, value]: [Value; 2],
    bias: Option<&Value>,
    [batch, heads]: [usize; 2],
) -> Value {
    let query = pass.linear(&format!("{path}.query"), x);
    let how = Heads {
        batch,
        heads,
        dropped: match pass.dropout {
            true => Dropped::Keys,
            false => Dropped::No,
        },
        capped: false,
    };
    let mixed = pass.tape.attention([query, key, value], bias, how);
    pass.adapted(path, pass.linear(&format!("{path}.output"), mixed))
}

fn key_value(pass: &Pass, path: &str, x: Value) -> [Value; 2] {
    let key = pass.linear(&format!("{path}.key"), x.clone());
    [key, pass.linear(&format!("{path}.value"), x)]
}

fn t5_feed_forward(pass: &Pass, path: &str, x: Value) -> Value {
    let normed = pass.norm(
        &format!("{path}.feed_forward_norm"),
        x.clone(),
        Normed::Values,
    );
    let changed = feed_forward(
        pass,
        &format!("{path}.feed_forward"),
        normed,
        Gate::TanhGelu,
        |up| pass.tape.function(up),
        |hidden| pass.dropped(hidden),
    );
    pass.tape.sum(x, pass.dropped(changed))
}

/// A bias for every distance of two positions, `[H, distances]`.
fn distances(pass: &Pass, path: &str, count: usize) -> Value {
    let table = pass.known(&format!("{path}.bias.table"));
    let by_head = table.clone().reshaped(table.width, table.rows);
    let bias = pass
        .tape
        .pick(&by_head.reshaped(table.rows, table.width), count);
    pass.shared(bias.clone().reshaped(bias.width, bias.rows))
}

fn t5_encoder(pass: &Pass, stack: &Stack, rows: Value, prefixes: &Prefixes, at: At) -> Value {
    let (batch, heads) = (stack.batch, stack.heads);
    let bias = distances(pass, stack.path, (2 * rows.rows / batch).saturating_sub(1));
    let mut x = pass.dropped(rows);
    for index in 0..stack.blocks {
        let path = format!("{}.blocks.{index}", stack.path);
        let inputs = BlockInputs {
            bias: Some(bias.clone()),
            prefix: prefixes.get(index).cloned(),
            ..BlockInputs::new(at(index, x))
        };
        let own = path.clone();
        x = pass.block(&path, inputs, move |pass, inputs| {
            let BlockInputs {
                x, bias, prefix, ..
            } = inputs;
            let attention = format!("{own}.attention");
            let normed = pass.norm(&format!("{own}.attention_norm"), x.clone(), Normed::Values);
            let key_value = key_value(pass, &attention, normed.clone());
            let key_value = pass.prefixed(prefix.as_ref(), key_value, batch);
            let sizes = [batch, heads];
            let mixed = t5_attention(pass, &attention, normed, key_value, bias.as_ref(), sizes);
            let x = pass.tape.sum(x, pass.dropped(mixed));
            t5_feed_forward(pass, &own, x)
        });
    }
    let x = at(stack.blocks, x);
    pass.dropped(pass.norm(&format!("{}.norm", stack.path), x, Normed::Values))
}

fn t5_decoder(
    pass: &Pass,
    stack: &Stack,
    embedded: Value,
    encoded: &Value,
    injected: &Injected,
    at: At,
) -> Value {
    let (batch, heads) = (stack.batch, stack.heads);
    let embedded = match &injected.decoder_prompt {
        Some(prompt) => pass.tape.joined(&[prompt, &embedded], batch),
        None => embedded,
    };
    let bias = distances(
        pass,
        stack.path,
        (2 * embedded.rows / batch).saturating_sub(1),
    );
    let hidden = pass.shared(encoded.clone());
    let mut x = pass.dropped(embedded);
    for index in 0..stack.blocks {
        let path = format!("{}.blocks.{index}", stack.path);
        let inputs = BlockInputs {
            x: at(index, x),
            encoded: Some(hidden.clone()),
            bias: Some(bias.clone()),
            prefix: injected.decoder.get(index).cloned(),
            cross_prefix: injected.cross.get(index).cloned(),
        };
        let own = path.clone();
        x = pass.block(&path, inputs, move |pass, inputs| {
            let BlockInputs {
                x,
                encoded,
                bias,
                prefix,
                cross_prefix,
            } = inputs;
            let encoded = encoded.expect("a decoder's block is given the encoder's output");
            let (attention, cross) = (
                format!("{own}.self_attention"),
                format!("{own}.cross_attention"),
            );
            let sizes = [batch, heads];
            let normed = pass.norm(&format!("{own}.self_norm"), x.clone(), Normed::Values);
            let own_keys = key_value(pass, &attention, normed.clone());
            let own_keys = pass.prefixed(prefix.as_ref(), own_keys, batch);
            let mixed = t5_attention(pass, &attention, normed, own_keys, bias.as_ref(), sizes);
            let x = pass.tape.sum(x, pass.dropped(mixed));
            let keys = key_value(pass, &cross, encoded);
            let normed = pass.norm(&format!("{own}.cross_norm"), x.clone(), Normed::Values);
            let keys = pass.prefixed(cross_prefix.as_ref(), keys, batch);
            let mixed = t5_attention(pass, &cross, normed, keys, None, sizes);
            let x = pass.tape.sum(x, pass.dropped(mixed));
            t5_feed_forward(pass, &own, x)
        });
    }
    let x = at(stack.blocks, x);
    pass.dropped(pass.norm(&format!("{}.norm", stack.path), x, Normed::Values))
}

/// The packed rows of a batch: real ones, and after padding each example to the longest.
#[derive(Clone, Copy)]
struct Packed {
    real: usize,
    filled: usize,
    batch: usize,
}

impl Packed {
    fn new(lengths: &[usize], more: usize, width: usize) -> Self {
        Packed {
            real: lengths.iter().map(|length| length + more).sum(),
            filled: lengths.len() * width,
            batch: lengths.len(),
        }
    }

    fn fill(self, pass: &Pass, x: Value) -> Value {
        match self.real == self.filled {
            true => x,
            false => pass.tape.pick(&x, self.filled),
        }
    }

    fn pack(self, pass: &Pass, x: Value) -> Value {
        match self.real == self.filled {
            true => x,
            false => pass.tape.pick(&x, self.real),
        }
    }
}

fn bert(
    pass: &Pass,
    config: &BertConfig,
    head: Option<HeadForm>,
    injected: Injected,
    batch: &Batch,
) -> Value {
    let tape = &pass.tape;
    let tokens = &batch.inputs;
    let examples = tokens.batch();
    let table = |name: &str| pass.parameter(&format!("backbone.embeddings.{name}"));
    let words = pass.known("backbone.embeddings.words");
    let mut sum = tape.pick(words, tokens.ids.len());
    for table in ["segments", "positions"].into_iter().filter_map(table) {
        sum = tape.sum(sum, tape.pick(table, tokens.ids.len()));
    }
    let prompt = injected.prompt.as_ref().map_or(0, |prompt| prompt.rows);
    if let Some(vectors) = &injected.prompt {
        sum = tape.joined(&[vectors, &sum], examples);
    }
    let normed = pass.norm("backbone.embeddings.norm", sum, Normed::Differences);
    let rows = Packed::new(&tokens.lengths, prompt, tokens.width + prompt);
    let mut x = pass.dropped(rows.pack(pass, normed));
    let is_modern = config.shape == BertShape::ModernBert;
    let heads = config.heads;
    for index in 0..config.layers {
        let path = format!("backbone.blocks.{index}");
        let inputs = BlockInputs {
            prefix: injected.encoder.get(index).cloned(),
            ..BlockInputs::new(x)
        };
        let own = path.clone();
        x = pass.block(&path, inputs, move |pass, inputs| {
            let BlockInputs { x, prefix, .. } = inputs;
            let norm = |name: &str, x: Value| {
                let path = format!("{own}.{name}");
                match pass.parameter(&format!("{path}.gain")) {
                    Some(_) => pass.norm(&path, x, Normed::Differences),
                    None => x,
                }
            };
            let read = match is_modern {
                true => norm("attention_norm", x.clone()),
                false => x.clone(),
            };
            let mixed = bert_attention(pass, &own, read, prefix, (rows, heads, is_modern));
            let x = pass.tape.sum(pass.dropped(mixed), x);
            let changed = |x: Value| {
                let path = format!("{own}.feed_forward");
                let gelu = |up| pass.tape.function(up);
                feed_forward(pass, &path, x, Gate::ExactGelu, gelu, |hidden| hidden)
            };
            match is_modern {
                true => {
                    let changed = changed(norm("feed_forward_norm", x.clone()));
                    pass.tape.sum(pass.dropped(changed), x)
                }
                false => {
                    let x = norm("attention_norm", x);
                    let changed = changed(x.clone());
                    norm("feed_forward_norm", pass.tape.sum(pass.dropped(changed), x))
                }
            }
        });
    }
    if is_modern {
        x = pass.norm("backbone.norm", x, Normed::Differences);
    }
    let targets = batch.targets.count();
    let logits = match head {
        Some(HeadForm::Span) => {
            let mut hidden = rows.fill(pass, x);
            if is_modern && pass.parameter("backbone.pooler.weight").is_some() {
                hidden = pass.dropped(bert_pooler(pass, hidden));
            }
            let logits = pass.linear("backbone.head.map", hidden);
            tape.pick(
                &logits.reshaped(2 * examples, rows.filled / examples),
                targets,
            )
        }
        _ => {
            let mut pooled = tape.pick(&x, examples);
            drop(x);
            let dense = "backbone.head.dense";
            pooled = match pass.parameter(&format!("{dense}.weight")) {
                Some(_) => tape.function(pass.linear(dense, pass.dropped(pooled))),
                None => bert_pooler(pass, pooled),
            };
            pass.linear("backbone.head.map", pass.dropped(pooled))
        }
    };
    tape.losses(logits)
}

fn bert_pooler(pass: &Pass, states: Value) -> Value {
    let path = "backbone.pooler";
    if pass.parameter(&format!("{path}.weight")).is_none() {
        return states;
    }
    let states = pass.tape.function(pass.linear(path, states));
    match pass.parameter("backbone.pooler_norm.gain") {
        Some(_) => pass.norm("backbone.pooler_norm", states, Normed::Differences),
        None => states,
    }
}

fn bert_attention(
    pass: &Pass,
    path: &str,
    x: Value,
    prefix: Option<[Value; 2]>,
    (rows, heads, is_rotary): (Packed, usize, bool),
) -> Value {
    let tape = &pass.tape;
    let path = format!("{path}.attention");
    let query = pass.linear(&format!("{path}.query"), x.clone());
    let key = pass.linear(&format!("{path}.key"), x.clone());
    let (query, key) = match is_rotary {
        true => (tape.rotated(query), tape.rotated(key)),
        false => (tape.scaled(query), key),
    };
    let key = rows.fill(pass, key);
    let value = rows.fill(pass, pass.linear(&format!("{path}.value"), x));
    let query = rows.fill(pass, query);
    let [key, value] = pass.prefixed(prefix.as_ref(), [key, value], rows.batch);
    let how = Heads {
        batch: rows.batch,
        heads,
        dropped: match pass.dropout {
            true => Dropped::Each,
            false => Dropped::No,
        },
        capped: false,
    };
    let mixed = tape.attention([query, key, value], None, how);
    let output = pass.linear(&format!("{path}.output"), rows.pack(pass, mixed));
    pass.adapted(&path, output)
}

/// The sizes of a decoder-only block.
#[derive(Clone, Copy)]
struct DecoderSizes {
    heads: usize,
    head_width: usize,
    is_rotary: bool,
    shape: DecoderShape,
    is_capped: bool,
    /// All rows, and those whose final states are needed.
    rows: Packed,
    asked: Option<Packed>,
}

fn decoder_only(pass: &Pass, config: &DecoderConfig, injected: Injected, batch: &Batch) -> Value {
    let tape = &pass.tape;
    let (inputs, targets) = (&batch.inputs, &batch.targets);
    let embedding = pass.known("backbone.embedding");
    let prompt = injected.prompt.as_ref().map_or(0, |prompt| prompt.rows);
    let scaled = |rows: Value| match config.shape {
        DecoderShape::Gemma => tape.scaled(rows),
        DecoderShape::Llama | DecoderShape::Gpt2 => rows,
    };
    let mut read = scaled(tape.pick(embedding, inputs.count()));
    if let Some(prompt) = &injected.prompt {
        let pool = tape.joined(&[prompt, &read], 1);
        read = tape.pick(&pool, inputs.count() + inputs.batch() * prompt.rows);
    }
    let outputs = scaled(tape.pick(embedding, targets.ids.len()));
    let pool = tape.joined(&[&read, &outputs], 1);
    let lengths: Vec<usize> = (inputs.lengths.iter().zip(&targets.lengths))
        .map(|(input, output)| prompt + input + output.saturating_sub(1))
        .collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let rows = Packed::new(&lengths, 0, longest);
    let most = targets.lengths.iter().copied().max().unwrap_or(0).max(1);
    let asked = Packed::new(&vec![most; lengths.len()], 0, most);
    let mut x = tape.pick(&pool, rows.real);
    drop((read, outputs, pool));
    if let Some(positions) = pass.parameter("backbone.positions") {
        x = tape.sum(x, tape.pick(positions, rows.real));
    }
    x = pass.dropped(x);
    let normed = match config.shape {
        DecoderShape::Gpt2 => Normed::Differences,
        DecoderShape::Llama => Normed::Values,
        DecoderShape::Gemma => Normed::ByOnePlus,
    };
    for index in 0..config.layers {
        let path = format!("backbone.blocks.{index}");
        let inputs = BlockInputs {
            prefix: injected.decoder.get(index).cloned(),
            ..BlockInputs::new(x)
        };
        let sizes = DecoderSizes {
            heads: config.heads,
            head_width: config.head_width,
            is_rotary: matches!(config.positions, Positions::Rotary { .. })
                && config.kinds[index] != LayerKind::Unrotated,
            shape: config.shape,
            is_capped: config.caps.scores.is_some(),
            rows,
            asked: (index + 1 == config.layers).then_some(asked),
        };
        let own = path.clone();
        x = pass.block(&path, inputs, move |pass, inputs| {
            decoder_block(pass, &own, inputs, sizes, normed)
        });
    }
    let states = tape.pick(&x, targets.count());
    drop(x);
    let states = pass.norm("backbone.norm", states, normed);
    let logits = match pass.parameter("backbone.head.weight") {
        Some(_) => pass.linear("backbone.head", states),
        None => {
            let head = embedding.clone().reshaped(embedding.width, embedding.rows);
            tape.linear(states, &head, None)
        }
    };
    let logits = match config.caps.logits {
        Some(_) => tape.scaled(tape.function(tape.scaled(logits))),
        None => logits,
    };
    tape.losses(logits)
}

fn decoder_block(
    pass: &Pass,
    path: &str,
    inputs: BlockInputs,
    sizes: DecoderSizes,
    normed: Normed,
) -> Value {
    let tape = &pass.tape;
    let BlockInputs { x, prefix, .. } = inputs;
    let attention = format!("{path}.attention");
    let rows = sizes.rows;
    let all_normed = pass.norm(&format!("{path}.attention_norm"), x.clone(), normed);
    let of_heads = |name: &str, x: Value| {
        let path = format!("{attention}.{name}");
        let (rows, width) = (x.rows, x.width);
        let x = match pass.parameter(&format!("{path}.gain")) {
            Some(_) => {
                let heads = x.reshaped(rows * width / sizes.head_width, sizes.head_width);
                pass.norm(&path, heads, normed).reshaped(rows, width)
            }
            None => x,
        };
        if sizes.is_rotary { tape.rotated(x) } else { x }
    };
    let key = of_heads(
        "key_norm",
        pass.linear(&format!("{attention}.key"), all_normed.clone()),
    );
    let key = rows.fill(pass, key);
    let value = pass.linear(&format!("{attention}.value"), all_normed.clone());
    let value = rows.fill(pass, value);
    let key_value = pass.prefixed(prefix.as_ref(), [key, value], rows.batch);
    // The caller holds the keys and values until the block ends.
    let [key, value] = key_value.clone();
    let (x, read) = match sizes.asked {
        Some(asked) => (
            tape.pick(&x, asked.real),
            tape.pick(&all_normed, asked.real),
        ),
        None => (x, all_normed.clone()),
    };
    drop(all_normed);
    let queries = sizes.asked.unwrap_or(rows);
    let query = of_heads(
        "query_norm",
        pass.linear(&format!("{attention}.query"), read),
    );
    let query = match sizes.is_rotary {
        true => query,
        false => tape.scaled(query),
    };
    let how = Heads {
        batch: rows.batch,
        heads: sizes.heads,
        dropped: Dropped::No,
        capped: sizes.is_capped,
    };
    let query = queries.fill(pass, query);
    let mixed = queries.pack(pass, tape.attention([query, key, value], None, how));
    let mixed = pass.linear(&format!("{attention}.output"), mixed);
    let mixed = pass.adapted(&attention, post_normed(pass, &attention, mixed));
    let x = tape.sum(x, pass.dropped(mixed));
    let normed = pass.norm(&format!("{path}.feed_forward_norm"), x.clone(), normed);
    let kind = match sizes.shape {
        DecoderShape::Llama => Gate::Silu,
        DecoderShape::Gemma | DecoderShape::Gpt2 => Gate::TanhGelu,
    };
    let changed = feed_forward(
        pass,
        &format!("{path}.feed_forward"),
        normed,
        kind,
        |up| {
            let open = tape.constant(up.rows, up.width);
            tape.gated(up, open, kind)
        },
        |hidden| pass.dropped(hidden),
    );
    let x = tape.sum(x, pass.dropped(changed));
    drop(key_value);
    x
}

/// A sub-layer's output, which Gemma normalises.
fn post_normed(pass: &Pass, path: &str, output: Value) -> Value {
    let path = format!("{path}.post_norm");
    match pass.parameter(&format!("{path}.gain")) {
        Some(_) => pass.norm(&path, output, Normed::ByOnePlus),
        None => output,
    }
}
