//! The operations of a pass as allocations: what each saves for the backward pass, and which buffers it overwrites.
//!
//! Every operation of `promptshift_kernels` and every plain one of Burn that the networks use has a counterpart here,
//! which computes nothing. A buffer is freed when its last holder is dropped, as in the program itself.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// How a device computes the operations of `promptshift_kernels`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// Fused: the CPU.
    Fused,
    /// In Burn's plain operations: every other device. The temporaries that fusion of element-wise operations
    /// saves, and what a device's allocator keeps, are not known.
    Plain,
}

/// Bytes of an f32.
pub(super) const FLOAT: u64 = size_of::<f32>() as u64;

/// Queries whose scores fused attention holds at a time, for each thread (`kernels::attention`'s block).
const QUERY_BLOCK: usize = 128;

/// The bytes that are allocated, and the most so far.
#[derive(Default)]
struct Memory {
    allocated: Cell<u64>,
    peak: Cell<u64>,
}

/// A tensor's memory.
pub(super) struct Buffer {
    bytes: u64,
    memory: Rc<Memory>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let allocated = &self.memory.allocated;
        allocated.set(allocated.get() - self.bytes);
    }
}

/// A tensor's place in the graph of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    id: usize,
    /// The longest path from a leaf; the backward pass takes the highest first.
    depth: usize,
}

/// A tensor `[rows, width]` without values.
#[derive(Clone)]
pub(super) struct Value {
    pub(super) rows: usize,
    pub(super) width: usize,
    buffer: Rc<Buffer>,
    /// `None` if it has no gradient.
    place: Option<Place>,
}

impl Value {
    fn numbers(&self) -> usize {
        self.rows * self.width
    }

    pub(super) fn is_tracked(&self) -> bool {
        self.place.is_some()
    }

    /// The same numbers without a gradient.
    pub(super) fn detached(self) -> Self {
        Value {
            place: None,
            ..self
        }
    }

    pub(super) fn reshaped(self, rows: usize, width: usize) -> Self {
        Value {
            rows,
            width,
            ..self
        }
    }

    fn is_alone(&self) -> bool {
        Rc::strong_count(&self.buffer) == 1
    }
}

/// Where a backward operation writes the gradient of an input.
#[derive(Clone, Copy)]
enum Gradient {
    /// Into a new buffer.
    New,
    /// It is the output's own.
    Passed,
    /// Over the output's, unless another input has that.
    Written,
    /// Over this saved buffer.
    Over(usize),
}

struct Parent {
    place: Place,
    bytes: u64,
    gradient: Gradient,
}

/// An operation whose backward is to run.
struct Node {
    output: Place,
    parents: Vec<Parent>,
    saved: Vec<Rc<Buffer>>,
    /// Bytes that the backward needs while it runs, besides gradients.
    scratch: u64,
}

/// The gradients of tensors, by identity.
pub(super) type Gradients = HashMap<usize, Rc<Buffer>>;

/// The heads of an attention.
#[derive(Clone, Copy)]
pub(super) struct Heads {
    pub(super) batch: usize,
    pub(super) heads: usize,
    pub(super) dropped: Dropped,
    /// Whether the scores are soft-capped.
    pub(super) capped: bool,
}

/// The mask of attention's weights, if they are dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    No,
    /// One row for all queries.
    Keys,
    /// One row for each query.
    Each,
}

/// The activation of a gated feed-forward.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    TanhGelu,
    ExactGelu,
    Silu,
}

/// What a norm scales.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Normed {
    Values,
    Differences,
    /// The values, by `1 + gain`.
    ByOnePlus,
}

/// A pass under way.
pub(super) struct Tape {
    arithmetic: Arithmetic,
    memory: Rc<Memory>,
    nodes: RefCell<Vec<Node>>,
    next: Cell<usize>,
    recording: Cell<bool>,
}

impl Tape {
    pub(super) fn new(arithmetic: Arithmetic) -> Self {
        Tape {
            arithmetic,
            memory: Rc::default(),
            nodes: RefCell::default(),
            next: Cell::new(0),
            recording: Cell::new(true),
        }
    }

    /// The most bytes so far.
    pub(super) fn peak(&self) -> u64 {
        self.memory.peak.get()
    }

    /// Runs `work` without saving anything for a backward pass.
    pub(super) fn unrecorded<T>(&self, work: impl FnOnce() -> T) -> T {
        self.recording.set(false);
        let result = work();
        self.recording.set(true);
        result
    }

    pub(super) fn allocate(&self, bytes: u64) -> Rc<Buffer> {
        let Memory { allocated, peak } = &*self.memory;
        allocated.set(allocated.get() + bytes);
        peak.set(peak.get().max(allocated.get()));
        Rc::new(Buffer {
            bytes,
            memory: Rc::clone(&self.memory),
        })
    }

    fn floats(&self, numbers: usize) -> Rc<Buffer> {
        self.allocate(numbers as u64 * FLOAT)
    }

    /// Memory that is used only while something runs.
    pub(super) fn needed_for_a_moment(&self, bytes: u64) {
        drop(self.allocate(bytes));
    }

    /// A new tensor without a gradient.
    pub(super) fn constant(&self, rows: usize, width: usize) -> Value {
        Value {
            rows,
            width,
            buffer: self.floats(rows * width),
            place: None,
        }
    }

    /// A parameter, whose own bytes are counted elsewhere.
    pub(super) fn parameter(&self, rows: usize, width: usize, trained: bool) -> Value {
        let value = Value {
            rows,
            width,
            buffer: self.allocate(0),
            place: None,
        };
        if trained { self.leaf(value) } else { value }
    }

    /// The same numbers as the start of a graph.
    pub(super) fn leaf(&self, value: Value) -> Value {
        Value {
            place: Some(self.new_place(0)),
            ..value
        }
    }

    /// The identity of a tensor that has a gradient.
    pub(super) fn identity(value: &Value) -> Option<usize> {
        value.place.map(|place| place.id)
    }

    fn new_place(&self, depth: usize) -> Place {
        let id = self.next.get();
        self.next.set(id + 1);
        Place { id, depth }
    }

    /// The output of an operation in this buffer; records it if an input has a gradient.
    fn output(
        &self,
        [rows, width]: [usize; 2],
        buffer: Rc<Buffer>,
        inputs: &[(&Value, Gradient)],
        saved: Vec<Rc<Buffer>>,
        scratch: u64,
    ) -> Value {
        let tracked = |(input, gradient): &(&Value, Gradient)| {
            Some(Parent {
                place: input.place?,
                bytes: input.numbers() as u64 * FLOAT,
                gradient: *gradient,
            })
        };
        let parents: Vec<Parent> = inputs.iter().filter_map(tracked).collect();
        let depth = parents.iter().map(|parent| parent.place.depth).max();
        let place = depth.filter(|_| self.recording.get()).map(|depth| {
            let output = self.new_place(depth + 1);
            self.nodes.borrow_mut().push(Node {
                output,
                parents,
                saved,
                scratch,
            });
            output
        });
        Value {
            rows,
            width,
            buffer,
            place,
        }
    }

    /// Whether an operation with these inputs saves anything.
    fn records(&self, inputs: &[&Value]) -> bool {
        self.recording.get() && inputs.iter().any(|input| input.is_tracked())
    }

    /// A buffer for an output of the shape of `x`: its own if nobody else holds it.
    fn over(&self, x: &Value) -> Rc<Buffer> {
        match x.is_alone() {
            true => Rc::clone(&x.buffer),
            false => self.floats(x.numbers()),
        }
    }

    /// `x W + b`; saves each factor for the gradient of the other.
    pub(super) fn linear(&self, x: Value, weight: &Value, bias: Option<&Value>) -> Value {
        let shape = [x.rows, weight.width];
        let buffer = self.floats(shape[0] * shape[1]);
        let mut inputs = vec![(&x, Gradient::New), (weight, Gradient::New)];
        inputs.extend(bias.map(|bias| (bias, Gradient::New)));
        let mut saved = Vec::new();
        if weight.is_tracked() {
            saved.push(Rc::clone(&x.buffer));
        }
        if x.is_tracked() {
            saved.push(Rc::clone(&weight.buffer));
        }
        self.output(shape, buffer, &inputs, saved, 0)
    }

    /// `x + y` of one shape.
    pub(super) fn sum(&self, x: Value, y: Value) -> Value {
        let buffer = match x.is_alone() {
            true => Rc::clone(&x.buffer),
            false => self.over(&y),
        };
        let inputs = [(&x, Gradient::Passed), (&y, Gradient::Passed)];
        self.output([x.rows, x.width], buffer, &inputs, Vec::new(), 0)
    }

    /// `x + b` for every row.
    pub(super) fn plus_row(&self, x: Value, row: &Value) -> Value {
        let inputs = [(row, Gradient::New), (&x, Gradient::Passed)];
        self.output([x.rows, x.width], self.over(&x), &inputs, Vec::new(), 0)
    }

    /// `x ⊙ s` for every row; saves `x` for the gradient of `s`, which first has the shape of `x`.
    pub(super) fn times_row(&self, x: Value, row: &Value) -> Value {
        let saves = row.is_tracked() && self.records(&[row]);
        let (saved, scratch) = match saves {
            true => (vec![Rc::clone(&x.buffer)], x.numbers() as u64 * FLOAT),
            false => (Vec::new(), 0),
        };
        let buffer = match saves {
            true => self.floats(x.numbers()),
            false => self.over(&x),
        };
        let inputs = [(row, Gradient::New), (&x, Gradient::Written)];
        self.output([x.rows, x.width], buffer, &inputs, saved, scratch)
    }

    /// `x` times a number.
    pub(super) fn scaled(&self, x: Value) -> Value {
        let inputs = [(&x, Gradient::Written)];
        self.output([x.rows, x.width], self.over(&x), &inputs, Vec::new(), 0)
    }

    /// An element-wise function; saves `x` (Burn's `relu`, `gelu` and `tanh` do, and `kernels::gelu`).
    pub(super) fn function(&self, x: Value) -> Value {
        if !self.records(&[&x]) {
            return Value {
                buffer: self.over(&x),
                ..x
            };
        }
        let buffer = self.floats(x.numbers());
        let saved = vec![Rc::clone(&x.buffer)];
        self.output(
            [x.rows, x.width],
            buffer,
            &[(&x, Gradient::Written)],
            saved,
            0,
        )
    }

    /// `f(gate) ⊙ up`; fused it saves both, in place of which the backward writes their gradients.
    pub(super) fn gated(&self, gate: Value, up: Value, kind: Gate) -> Value {
        let shape = [up.rows, up.width];
        if !self.records(&[&gate, &up]) {
            return self.output(shape, self.over(&up), &[], Vec::new(), 0);
        }
        let mut saved = vec![Rc::clone(&gate.buffer), Rc::clone(&up.buffer)];
        if self.arithmetic == Arithmetic::Plain {
            let more = match kind {
                // The square, the tanh's argument, half the gate, 1 + tanh, the gate's value.
                Gate::TanhGelu => 5,
                // The gate's value.
                Gate::ExactGelu => 1,
                // The sigmoid and the gate's value.
                Gate::Silu => 2,
            };
            saved.extend((0..more).map(|_| self.floats(gate.numbers())));
        }
        let buffer = self.floats(up.numbers());
        let inputs = [(&gate, Gradient::Over(0)), (&up, Gradient::Over(1))];
        self.output(shape, buffer, &inputs, saved, 0)
    }

    /// A norm of rows; fused it saves `x` alone.
    pub(super) fn norm(&self, x: Value, gain: &Value, bias: Option<&Value>, kind: Normed) -> Value {
        let shape = [x.rows, x.width];
        let mut inputs = vec![(gain, Gradient::New)];
        inputs.extend(bias.map(|bias| (bias, Gradient::New)));
        inputs.push((&x, Gradient::Written));
        let all: Vec<&Value> = inputs.iter().map(|(input, _)| *input).collect();
        if !self.records(&all) {
            return self.output(shape, self.over(&x), &[], Vec::new(), 0);
        }
        let mut saved = Vec::new();
        let mut scratch = 0;
        match self.arithmetic {
            Arithmetic::Fused => saved.push(Rc::clone(&x.buffer)),
            Arithmetic::Plain => {
                saved.push(match kind {
                    Normed::Values | Normed::ByOnePlus => Rc::clone(&x.buffer),
                    // Less the mean.
                    Normed::Differences => self.floats(x.numbers()),
                });
                if gain.is_tracked() {
                    // What the gain multiplies.
                    saved.push(self.floats(x.numbers()));
                }
                // The gradients through the quotient's two sides.
                scratch = 2 * x.numbers() as u64 * FLOAT;
            }
        }
        let buffer = self.floats(x.numbers());
        self.output(shape, buffer, &inputs, saved, scratch)
    }

    /// Attention `[B·Tq, H·K]` to `[B·Tk, G·K]`, with a bias of distances. Fused it saves its inputs and a number for
    /// every query and head; in plain operations also `[B, H, Tq, Tk]`: the scores less their maximum, their
    /// exponential, the weights that multiply the values, and the mask of dropout.
    pub(super) fn attention(
        &self,
        [query, key, value]: [Value; 3],
        bias: Option<&Value>,
        how: Heads,
    ) -> Value {
        let Heads {
            batch,
            heads,
            dropped,
            capped,
        } = how;
        let shape = [query.rows, query.width];
        let (queries, keys) = (query.rows / batch, key.rows / batch);
        let mut inputs = vec![
            (&query, Gradient::New),
            (&key, Gradient::New),
            (&value, Gradient::New),
        ];
        inputs.extend(bias.map(|bias| (bias, Gradient::New)));
        let all: Vec<&Value> = inputs.iter().map(|(input, _)| *input).collect();
        let records = self.records(&all);
        let buffer = self.floats(query.numbers());
        let mut saved: Vec<_> = all.iter().map(|input| Rc::clone(&input.buffer)).collect();
        let of_pairs = batch * heads * queries * keys;
        let scratch = match self.arithmetic {
            Arithmetic::Fused => {
                let threads = rayon::current_num_threads().min(batch * heads) as u64;
                let scores = threads * (QUERY_BLOCK.min(queries) * keys) as u64 * FLOAT;
                let log_z = self.floats(batch * heads * queries);
                self.needed_for_a_moment(scores);
                saved.push(log_z);
                let of_bias = bias.filter(|bias| bias.is_tracked());
                let bias_parts = of_bias.map_or(0, |bias| batch * bias.numbers());
                2 * scores + bias_parts as u64 * FLOAT
            }
            Arithmetic::Plain => {
                let weights = if value.is_tracked() { 3 } else { 2 };
                // Also the tanh of soft-capping.
                saved.extend((0..weights + usize::from(capped)).map(|_| self.floats(of_pairs)));
                saved.push(self.floats(match dropped {
                    Dropped::No => 0,
                    Dropped::Keys => of_pairs / queries.max(1),
                    Dropped::Each => of_pairs,
                }));
                if key.width < query.width {
                    // Keys and values repeated for the heads that share them.
                    saved.extend((0..2).map(|_| self.floats(batch * keys * query.width)));
                }
                self.needed_for_a_moment(of_pairs as u64 * FLOAT);
                // The weights' gradient, the exponential again, and their product.
                3 * of_pairs as u64 * FLOAT
            }
        };
        if !records {
            saved.clear();
        }
        self.output(shape, buffer, &inputs, saved, scratch)
    }

    /// Dropout; fused it makes its mask again for the backward.
    pub(super) fn dropout(&self, x: Value) -> Value {
        let saved = match self.arithmetic == Arithmetic::Plain && self.records(&[&x]) {
            true => vec![self.floats(x.numbers())],
            false => Vec::new(),
        };
        let inputs = [(&x, Gradient::Written)];
        self.output([x.rows, x.width], self.over(&x), &inputs, saved, 0)
    }

    /// The rotation of a rotary position.
    pub(super) fn rotated(&self, x: Value) -> Value {
        let buffer = match self.arithmetic {
            Arithmetic::Fused => self.over(&x),
            Arithmetic::Plain => self.floats(x.numbers()),
        };
        let inputs = [(&x, Gradient::Written)];
        self.output([x.rows, x.width], buffer, &inputs, Vec::new(), 0)
    }

    /// Some rows of a table; the gradient has the table's size.
    pub(super) fn pick(&self, table: &Value, rows: usize) -> Value {
        let buffer = self.floats(rows * table.width);
        let inputs = [(table, Gradient::New)];
        self.output([rows, table.width], buffer, &inputs, Vec::new(), 0)
    }

    /// Rows of several tensors, each repeated as often as it takes to make `rows` with `repeated` copies of the first.
    pub(super) fn joined(&self, parts: &[&Value], repeated: usize) -> Value {
        let (first, others) = parts.split_first().expect("at least one part");
        let others_rows: usize = others.iter().map(|part| part.rows).sum();
        let shape = [repeated * first.rows + others_rows, first.width];
        let buffer = self.floats(shape[0] * shape[1]);
        let inputs: Vec<_> = parts.iter().map(|part| (*part, Gradient::New)).collect();
        // The gradient of every copy.
        let copies = if first.is_tracked() { repeated } else { 0 };
        let scratch = (copies * first.numbers()) as u64 * FLOAT;
        self.output(shape, buffer, &inputs, Vec::new(), scratch)
    }

    /// The loss of each row of logits; fused it saves the logits and writes their gradient over them.
    pub(super) fn losses(&self, logits: Value) -> Value {
        let shape = [logits.rows, 1];
        let (saved, scratch) = match self.arithmetic {
            Arithmetic::Fused => (vec![Rc::clone(&logits.buffer)], 0),
            // The logits less their maximum; then their exponential again, and the gradient of the target's logit.
            Arithmetic::Plain => {
                let size = logits.numbers() as u64 * FLOAT;
                self.needed_for_a_moment(size);
                (vec![self.floats(logits.numbers())], 2 * size)
            }
        };
        let buffer = self.floats(logits.rows);
        self.output(
            shape,
            buffer,
            &[(&logits, Gradient::Over(0))],
            saved,
            scratch,
        )
    }

    /// The gradients of all leaves that `root` depends on, given that of `root`.
    pub(super) fn backward(&self, root: Value, gradient: Rc<Buffer>) -> Gradients {
        let mut gradients = Gradients::new();
        if let Some(place) = root.place {
            gradients.insert(place.id, gradient);
        }
        drop(root);
        let mut nodes = self.nodes.take();
        nodes.sort_by_key(|node| node.output.depth);
        let mut unreached = Vec::new();
        while let Some(node) = nodes.pop() {
            match gradients.remove(&node.output.id) {
                Some(dy) => self.step(node, dy, &mut gradients),
                None => unreached.push(node),
            }
        }
        unreached.reverse();
        self.nodes.replace(unreached);
        gradients
    }

    fn step(&self, node: Node, dy: Rc<Buffer>, gradients: &mut Gradients) {
        let scratch = self.allocate(node.scratch);
        let mut saved: Vec<_> = node.saved.into_iter().map(Some).collect();
        let mut dy = Some(dy);
        let count = node.parents.len();
        for (index, parent) in node.parents.into_iter().enumerate() {
            let own = match index + 1 == count {
                true => dy.take(),
                false => dy.clone(),
            };
            let alone = |buffer: &Rc<Buffer>| Rc::strong_count(buffer) == 1;
            let made = match parent.gradient {
                Gradient::New => None,
                Gradient::Passed => own,
                Gradient::Written => own.filter(alone),
                Gradient::Over(at) => saved.get_mut(at).and_then(Option::take).filter(alone),
            };
            let made = made.unwrap_or_else(|| self.allocate(parent.bytes));
            let sum = match gradients.remove(&parent.place.id) {
                None => made,
                Some(_) if alone(&made) => made,
                Some(old) if alone(&old) => old,
                Some(_) => self.allocate(parent.bytes),
            };
            gradients.insert(parent.place.id, sum);
        }
        drop((dy, saved, scratch));
    }
}
