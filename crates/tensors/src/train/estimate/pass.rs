//! The layers that all networks share, as allocations, and the gradients of a pass with and without gradient
//! checkpointing: the counterparts of [`layers`](crate::layers) on a [`Tape`].

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::tape::{Buffer, FLOAT, Gradients, Normed, Tape, Value};
use promptshift_numbers::recipe::GradientCheckpointing;

/// The parameters of a tuned model by their path, `[rows, width]` each; a vector is one row.
pub(super) type Parameters = HashMap<String, Value>;

/// A part of the pass that was not recorded.
struct Segment {
    output: Value,
    recorded: Box<dyn FnOnce(&Pass) -> Value>,
}

/// The tensors that a block reads.
#[derive(Clone)]
pub(super) struct BlockInputs {
    pub(super) x: Value,
    pub(super) encoded: Option<Value>,
    pub(super) bias: Option<Value>,
    /// The keys and values of a prefix, `[P, H·K]` each.
    pub(super) prefix: Option<[Value; 2]>,
    pub(super) cross_prefix: Option<[Value; 2]>,
}

impl BlockInputs {
    pub(super) fn new(x: Value) -> Self {
        BlockInputs {
            x,
            encoded: None,
            bias: None,
            prefix: None,
            cross_prefix: None,
        }
    }

    fn is_tracked(&self) -> bool {
        let prefixes = self.prefix.iter().chain(&self.cross_prefix).flatten();
        let others = self.encoded.iter().chain(&self.bias).chain([&self.x]);
        others.chain(prefixes).any(Value::is_tracked)
    }

    fn detached(self) -> Self {
        let of_prefix = |prefix: [Value; 2]| prefix.map(Value::detached);
        BlockInputs {
            x: self.x.detached(),
            encoded: self.encoded.map(Value::detached),
            bias: self.bias.map(Value::detached),
            prefix: self.prefix.map(of_prefix),
            cross_prefix: self.cross_prefix.map(of_prefix),
        }
    }
}

/// A pass over one batch.
pub(super) struct Pass {
    pub(super) tape: Rc<Tape>,
    pub(super) parameters: Rc<Parameters>,
    pub(super) dropout: bool,
    checkpointing: GradientCheckpointing,
    segments: RefCell<Vec<Segment>>,
    /// Injected tensors: as blocks read them, and as they were computed.
    injected: RefCell<Vec<(Value, Value)>>,
}

impl Pass {
    pub(super) fn new(
        tape: &Rc<Tape>,
        parameters: &Rc<Parameters>,
        dropout: bool,
        checkpointing: GradientCheckpointing,
    ) -> Self {
        Pass {
            tape: Rc::clone(tape),
            parameters: Rc::clone(parameters),
            dropout,
            checkpointing,
            segments: RefCell::default(),
            injected: RefCell::default(),
        }
    }

    pub(super) fn parameter(&self, path: &str) -> Option<&Value> {
        self.parameters.get(path)
    }

    /// # Panics
    /// The model has no such parameter.
    pub(super) fn known(&self, path: &str) -> &Value {
        let found = self.parameter(path);
        found.unwrap_or_else(|| panic!("the model has the parameter {path}"))
    }

    /// [`layers::Linear`](crate::layers::Linear).
    pub(super) fn linear(&self, path: &str, x: Value) -> Value {
        let tape = &self.tape;
        let delta = |name: &str| self.parameter(&format!("{path}.delta.{name}"));
        let x = match delta("input_scale") {
            Some(scale) => tape.times_row(x, scale),
            None => x,
        };
        let low_rank = (delta("low_rank.a").zip(delta("low_rank.b"))).map(|(a, b)| {
            let narrow = tape.scaled(tape.linear(x.clone(), a, None));
            tape.linear(narrow, b, None)
        });
        let vera = delta("vera.lambda_d").zip(delta("vera.lambda_b"));
        let vera = vera.map(|(lambda_d, lambda_b)| {
            let part = |name: &str| self.known(&format!("projections.{name}")).clone();
            let hidden = tape.linear(x.clone(), &part("a"), None);
            let b = part("b").reshaped(lambda_d.width, lambda_b.width);
            let update = tape.linear(tape.times_row(hidden, lambda_d), &b, None);
            tape.times_row(update, lambda_b)
        });
        let magnitude = delta("low_rank.magnitude.values");
        let weight = self.known(&format!("{path}.weight"));
        let own_bias = self.parameter(&format!("{path}.bias"));
        let mut y = tape.linear(x, weight, own_bias.filter(|_| magnitude.is_none()));
        if let Some(update) = low_rank.or(vera) {
            y = tape.sum(y, update);
        }
        if let Some(magnitude) = magnitude {
            y = tape.times_row(y, magnitude);
            if let Some(bias) = own_bias {
                y = tape.plus_row(y, bias);
            }
        }
        if let Some(bias) = delta("bias") {
            y = tape.plus_row(y, bias);
        }
        match delta("output_scale") {
            Some(scale) => tape.times_row(y, scale),
            None => y,
        }
    }

    /// [`layers::Norm`](crate::layers::Norm).
    pub(super) fn norm(&self, path: &str, x: Value, kind: Normed) -> Value {
        let gain = self.known(&format!("{path}.gain"));
        let bias = self.parameter(&format!("{path}.bias"));
        match kind {
            Normed::ByOnePlus => {
                let gain = self.tape.scaled(gain.clone());
                self.tape.norm(x, &gain, bias, kind)
            }
            Normed::Values | Normed::Differences => self.tape.norm(x, gain, bias, kind),
        }
    }

    /// [`layers::Adapter`](crate::layers::Adapter) on a sub-layer's output. It reads the output, or another tensor of
    /// that size.
    pub(super) fn adapted(&self, path: &str, output: Value) -> Value {
        let tape = &self.tape;
        let part = |name: &str| self.parameter(&format!("{path}.adapter.{name}"));
        let Some(down) = part("down") else {
            return output;
        };
        let part = |name: &str| part(name).expect("an adapter has four parameters");
        let narrow = tape.plus_row(tape.linear(output.clone(), down, None), part("down_bias"));
        let narrow = tape.function(narrow);
        let branch = tape.plus_row(tape.linear(narrow, part("up"), None), part("up_bias"));
        tape.sum(output, tape.scaled(branch))
    }

    /// [`layers::Dropout`](crate::layers::Dropout).
    pub(super) fn dropped(&self, x: Value) -> Value {
        match self.dropout {
            true => self.tape.dropout(x),
            false => x,
        }
    }

    /// A block's prefix before the keys and values of every example.
    pub(super) fn prefixed(
        &self,
        prefix: Option<&[Value; 2]>,
        own: [Value; 2],
        batch: usize,
    ) -> [Value; 2] {
        let Some([key, value]) = prefix else {
            return own;
        };
        let [own_key, own_value] = own;
        [
            self.tape.joined(&[key, &own_key], batch),
            self.tape.joined(&[value, &own_value], batch),
        ]
    }

    /// [`Pass::block`](crate::layers::Pass) of the block at `path`.
    pub(super) fn block(
        &self,
        path: &str,
        inputs: BlockInputs,
        run: impl Fn(&Pass, BlockInputs) -> Value + 'static,
    ) -> Value {
        let trains = || {
            let start = format!("{path}.");
            let own = (self.parameters.iter()).filter(|(path, _)| path.starts_with(&start));
            own.into_iter().any(|(_, value)| value.is_tracked())
        };
        if self.checkpointing == GradientCheckpointing::Off || !(inputs.is_tracked() || trains()) {
            return run(self, inputs);
        }
        let detached = inputs.clone().detached();
        let output = self.tape.unrecorded(|| run(self, detached));
        let output = self.tape.leaf(output);
        self.segments.borrow_mut().push(Segment {
            output: output.clone(),
            recorded: Box::new(move |pass| run(pass, inputs)),
        });
        output
    }

    /// [`Pass::shared`](crate::layers::Pass).
    pub(super) fn shared(&self, x: Value) -> Value {
        if self.checkpointing == GradientCheckpointing::Off || !x.is_tracked() {
            return x;
        }
        let output = self.tape.leaf(x.clone());
        self.segments.borrow_mut().push(Segment {
            output: output.clone(),
            recorded: Box::new(move |_| x),
        });
        output
    }

    /// [`Pass::inject`](crate::layers::Pass), one tensor at a time.
    pub(super) fn inject(&self, x: Value) -> Value {
        if self.checkpointing == GradientCheckpointing::Off || !x.is_tracked() {
            return x;
        }
        let output = self.tape.leaf(x.clone());
        self.injected.borrow_mut().push((output.clone(), x));
        output
    }

    /// The gradients of all parameters, as [`Pass::gradients`](crate::layers::Pass).
    pub(super) fn gradients(self, losses: Value) -> Gradients {
        let tape = Rc::clone(&self.tape);
        let of_losses = tape.allocate(losses.rows as u64 * FLOAT);
        let mut all = tape.backward(losses, of_losses);
        while let Some(Segment { output, recorded }) = self.next_segment() {
            let gradient = Tape::identity(&output).and_then(|id| all.remove(&id));
            drop(output);
            if let Some(gradient) = gradient {
                let root = recorded(&self);
                let computed = self.backward_from(root, gradient);
                accumulate(&mut all, computed);
            }
        }
        for (output, computed) in self.injected.take() {
            let gradient = Tape::identity(&output).and_then(|id| all.remove(&id));
            drop(output);
            if let Some(gradient) = gradient {
                let computed = self.backward_from(computed, gradient);
                accumulate(&mut all, computed);
            }
        }
        all
    }

    fn next_segment(&self) -> Option<Segment> {
        self.segments.borrow_mut().pop()
    }

    /// The backward pass of the sum of `root` times its gradient: their product, and a gradient of its size.
    fn backward_from(&self, root: Value, gradient: Rc<Buffer>) -> Gradients {
        let size = (root.rows * root.width) as u64 * FLOAT;
        self.tape.needed_for_a_moment(size);
        let dy = self.tape.allocate(size);
        drop(gradient);
        self.tape.backward(root, dy)
    }
}

/// Adds gradients, in place.
pub(super) fn accumulate(sum: &mut Gradients, more: Gradients) {
    for (id, gradient) in more {
        // The sum of two is written over one of them.
        sum.entry(id).or_insert(gradient);
    }
}
