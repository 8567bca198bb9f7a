//! Sentences from the news wire, in pairs: do the two report the same?

use super::lists::GOODS;
use super::{Domain, Task};
use crate::synthetic::grammar::Answer;
use crate::synthetic::names::{NameKind, Pool};
use crate::synthetic::pairs::{Form, Intent, Pairing, Topic};

pub(super) const DOMAIN: Domain = Domain {
    name: "mrpc",
    about: "Pairs of sentences from the news about invented companies, towns and institutions; \
            each reports two facts, and the label is 1 if both report the same two. A negative \
            pair differs in one name, one number or one deed.",
    task: Task::Pairs(Pairing {
        pool: Pool::Shifted,
        topics: &[
            Topic {
                name: NameKind::Company,
                intents: COMPANY,
            },
            Topic {
                name: NameKind::Town,
                intents: TOWN,
            },
            Topic {
                name: NameKind::Institution,
                intents: INSTITUTION,
            },
        ],
        form: Form::Joined {
            notes: &[
                "{S} {1} and {2}.",
                "on Monday, {S} {1} and {2}.",
                "{S}, which {1}, also {2}.",
                "{S} {1} and {2}, a spokesman said.",
            ],
            asked: &[
                "{S} {1} and also {2}.",
                "{S} {1} on Monday and {2}.",
                "according to a spokesman, {S} {1} and {2}.",
                "after it {1}, {S} {2}.",
            ],
        },
        positives: 0.6,
        columns: ("sentence1", "sentence2"),
    }),
};

const COMPANY: &[Intent] = &[
    Intent {
        detail: Some(Answer::Name(NameKind::Person)),
        notes: &[
            "named {A} as chief executive",
            "appointed {A} chief executive",
            "hired {A} as chief executive",
        ],
        asked: &[
            "made {A} chief executive",
            "appointed {A} as its chief executive",
            "named {A} its new chief executive",
        ],
    },
    Intent {
        detail: Some(Answer::Number {
            from: 11,
            to: 980,
            unit: "million crowns",
        }),
        notes: &[
            "earned a profit of {A}",
            "made {A} in profit",
            "reported a profit of {A}",
        ],
        asked: &[
            "made a profit of {A}",
            "reported {A} in profit",
            "earned {A} in profit",
        ],
    },
    Intent {
        detail: Some(Answer::Number {
            from: 110,
            to: 990,
            unit: "workers",
        }),
        notes: &["dismissed {A}", "laid off {A}", "said it would lay off {A}"],
        asked: &[
            "sent {A} home for good",
            "laid off {A} in all",
            "said it had dismissed {A}",
        ],
    },
    Intent {
        detail: Some(Answer::Name(NameKind::Company)),
        notes: &["bought {A}", "acquired its rival {A}", "agreed to buy {A}"],
        asked: &[
            "bought its rival {A}",
            "acquired {A}",
            "agreed to acquire {A}",
        ],
    },
    Intent {
        detail: Some(Answer::Name(NameKind::Town)),
        notes: &[
            "closed its plant in {A}",
            "shut the plant in {A}",
            "said its plant in {A} would close",
        ],
        asked: &[
            "shut down its plant in {A}",
            "closed the {A} plant",
            "said it would shut its plant in {A}",
        ],
    },
    Intent {
        detail: Some(Answer::OneOf(GOODS)),
        notes: &[
            "raised the price of {A}",
            "raised its price for {A}",
            "made {A} more expensive",
        ],
        asked: &[
            "lifted the price of {A}",
            "raised prices for {A}",
            "lifted its price for {A}",
        ],
    },
    Intent {
        detail: Some(Answer::Name(NameKind::Person)),
        notes: &[
            "lost a lawsuit against {A}",
            "was sued by {A} and lost",
            "was ordered to pay {A} in a lawsuit",
        ],
        asked: &[
            "lost the lawsuit of {A}",
            "was sued by {A} and had to pay",
            "lost in court against {A} in a lawsuit",
        ],
    },
];

const TOWN: &[Intent] = &[
    Intent {
        detail: Some(Answer::Name(NameKind::Person)),
        notes: &[
            "elected {A} as mayor",
            "chose {A} as its mayor",
            "voted for {A} as mayor",
        ],
        asked: &[
            "elected {A} mayor",
            "chose {A} to be mayor",
            "voted {A} in as mayor",
        ],
    },
    Intent {
        detail: Some(Answer::Number {
            from: 11,
            to: 980,
            unit: "houses",
        }),
        notes: &[
            "lost {A} to the flood",
            "saw {A} destroyed by the flood",
            "counted {A} under water",
        ],
        asked: &[
            "lost {A} in the flood",
            "saw the flood destroy {A}",
            "had {A} under water",
        ],
    },
    Intent {
        detail: Some(Answer::Name(NameKind::Company)),
        notes: &[
            "sued {A}",
            "took {A} to court",
            "filed a lawsuit against {A}",
        ],
        asked: &[
            "went to court against {A}",
            "sued the firm {A}",
            "filed suit against {A}",
        ],
    },
    Intent {
        detail: Some(Answer::Number {
            from: 2,
            to: 95,
            unit: "million crowns",
        }),
        notes: &[
            "spent {A} on a bridge",
            "paid {A} for a new bridge",
            "built a bridge for {A}",
        ],
        asked: &[
            "paid {A} for its bridge",
            "spent {A} on its new bridge",
            "built a new bridge at a cost of {A}",
        ],
    },
    Intent {
        detail: Some(Answer::Name(NameKind::Person)),
        notes: &["arrested {A}", "put {A} in jail", "jailed {A} for a night"],
        asked: &["had {A} arrested", "jailed {A}", "put {A} under arrest"],
    },
    Intent {
        detail: Some(Answer::OneOf(GOODS)),
        notes: &[
            "banned the sale of {A}",
            "forbade the sale of {A}",
            "stopped all sales of {A}",
        ],
        asked: &[
            "banned sales of {A}",
            "stopped the sale of {A}",
            "forbade anyone to sell {A}",
        ],
    },
    Intent {
        detail: Some(Answer::Name(NameKind::Team)),
        notes: &[
            "welcomed {A} home",
            "held a parade for {A}",
            "cheered {A} in a parade",
        ],
        asked: &[
            "welcomed {A} with a parade",
            "cheered {A} home",
            "gave {A} a parade",
        ],
    },
];

const INSTITUTION: &[Intent] = &[
    Intent {
        detail: Some(Answer::Name(NameKind::Person)),
        notes: &[
            "gave its prize to {A}",
            "awarded {A} its prize",
            "honoured {A} with a prize",
        ],
        asked: &[
            "awarded its prize to {A}",
            "gave {A} its prize",
            "honoured {A} with its prize",
        ],
    },
    Intent {
        detail: Some(Answer::Number {
            from: 11,
            to: 980,
            unit: "bones",
        }),
        notes: &[
            "dug up {A}",
            "found {A} in a field",
            "discovered {A} under a road",
        ],
        asked: &[
            "discovered {A}",
            "found {A} under a road",
            "dug up {A} in a field",
        ],
    },
    Intent {
        detail: Some(Answer::Name(NameKind::Town)),
        notes: &[
            "moved to {A}",
            "opened a new building in {A}",
            "took its offices to {A}",
        ],
        asked: &[
            "moved its offices to {A}",
            "opened its new offices in {A}",
            "took a new building in {A}",
        ],
    },
    Intent {
        detail: Some(Answer::Number {
            from: 2,
            to: 95,
            unit: "million crowns",
        }),
        notes: &[
            "received {A} from a widow",
            "was given {A}",
            "got a gift of {A}",
        ],
        asked: &[
            "received a gift of {A}",
            "was given {A} by a widow",
            "got {A} as a gift",
        ],
    },
    Intent {
        detail: Some(Answer::Name(NameKind::Drug)),
        notes: &[
            "warned against {A}",
            "issued a warning about {A}",
            "called {A} dangerous",
        ],
        asked: &[
            "warned the public about {A}",
            "issued a warning against {A}",
            "said that {A} is dangerous",
        ],
    },
    Intent {
        detail: Some(Answer::Name(NameKind::Person)),
        notes: &["expelled {A}", "threw out {A}", "struck {A} off its list"],
        asked: &[
            "threw {A} out",
            "expelled its member {A}",
            "struck its member {A} off the list",
        ],
    },
    Intent {
        detail: Some(Answer::Name(NameKind::Creature)),
        notes: &[
            "counted the last {A}",
            "filmed a rare {A}",
            "photographed a {A}",
        ],
        asked: &[
            "filmed a {A}",
            "photographed a rare {A}",
            "counted the very last {A}",
        ],
    },
];
