//! Questions to an advice forum, in pairs: do the two ask the same?

use super::{Domain, Task};
use crate::synthetic::grammar::Answer;
use crate::synthetic::names::{NameKind, Pool};
use crate::synthetic::pairs::{Form, Intent, Pairing, Topic};

pub(super) const DOMAIN: Domain = Domain {
    name: "qqp",
    about: "Pairs of questions that users ask an advice forum about invented towns, gadgets, pets \
            and celebrities; label 1 if both ask the same. A negative pair asks about another \
            name or asks something else about the same name, mostly in the same words.",
    task: Task::Pairs(Pairing {
        pool: Pool::Shifted,
        topics: &[
            Topic {
                name: NameKind::Town,
                intents: TOWN,
            },
            Topic {
                name: NameKind::Device,
                intents: DEVICE,
            },
            Topic {
                name: NameKind::Creature,
                intents: PET,
            },
            Topic {
                name: NameKind::Person,
                intents: CELEBRITY,
            },
        ],
        form: Form::Single,
        positives: 0.4,
        columns: ("question1", "question2"),
    }),
};

const TOWN: &[Intent] = &[
    Intent {
        detail: Some(Answer::Name(NameKind::Town)),
        notes: &[
            "How do I travel from {S} to {A}?",
            "What is the quickest way to travel from {S} to {A}?",
            "Is there a way to get from {S} to {A} in a day?",
        ],
        asked: &[
            "What is the best way to get from {S} to {A}?",
            "How can I get from {S} to {A}?",
            "How does one travel from {S} to {A}?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "What is a cheap hotel in {S}?",
            "Where can I find a cheap hotel in {S}?",
            "Does anyone know a cheap place to stay in {S}?",
        ],
        asked: &[
            "Which hotel in {S} is cheap?",
            "Where in {S} can I stay cheaply?",
            "Can you name a cheap place to stay in {S}?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "When is the best time to visit {S}?",
            "What month is best for a visit to {S}?",
            "In which season should I visit {S}?",
        ],
        asked: &[
            "What is the best season for a visit to {S}?",
            "Which month is the best time to visit {S}?",
            "When should I visit {S}?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "Is {S} safe at night?",
            "How safe is it to walk in {S} at night?",
            "Are the streets of {S} dangerous after dark?",
        ],
        asked: &[
            "Is it dangerous to walk in {S} at night?",
            "Are the streets of {S} safe after dark?",
            "How dangerous is {S} at night?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "What food should I try in {S}?",
            "Which dish must I eat in {S}?",
            "What do people eat in {S}?",
        ],
        asked: &[
            "Which food do people eat in {S}?",
            "What dish should I try in {S}?",
            "What is the one dish to eat in {S}?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "Why is the weather in {S} so bad?",
            "What is the reason for all the rain in {S}?",
            "How come it always rains in {S}?",
        ],
        asked: &[
            "Why does it always rain in {S}?",
            "What is the reason for the bad weather in {S}?",
            "How come the weather in {S} is so bad?",
        ],
    },
    Intent {
        detail: Some(Answer::Number {
            from: 200,
            to: 990,
            unit: "crowns",
        }),
        notes: &[
            "Can I live in {S} on {A} a month?",
            "Is a salary of {A} enough for {S}?",
            "Are {A} enough to live in {S}?",
        ],
        asked: &[
            "Is it possible to live in {S} on {A}?",
            "Is {A} a month a good salary in {S}?",
            "Could I live in {S} with a salary of {A}?",
        ],
    },
];

const DEVICE: &[Intent] = &[
    Intent {
        detail: None,
        notes: &[
            "How do I repair a broken {S}?",
            "My {S} is broken, how can I fix it?",
            "What is the best way to fix a {S}?",
        ],
        asked: &[
            "How can I fix my broken {S}?",
            "How does one repair a {S}?",
            "What should I do to repair my {S}?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "How do I clean a {S}?",
            "What should I use to clean my {S}?",
            "What is the best way to wash a {S}?",
        ],
        asked: &[
            "How can I wash my {S}?",
            "What is a good way to clean a {S}?",
            "How does one clean a {S}?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "Why does my {S} make a loud noise?",
            "What makes a {S} so noisy?",
            "Why is my {S} so loud?",
        ],
        asked: &[
            "Why is a {S} so noisy?",
            "What is the loud noise in my {S}?",
            "How come my {S} makes such a noise?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "Where can I buy a {S}?",
            "Which shop sells the {S}?",
            "Who sells a good {S}?",
        ],
        asked: &[
            "In which shop can I buy a {S}?",
            "Which shops sell a {S}?",
            "Where do they sell the {S}?",
        ],
    },
    Intent {
        detail: Some(Answer::Number {
            from: 20,
            to: 990,
            unit: "crowns",
        }),
        notes: &[
            "Is the {S} worth {A}?",
            "Is {A} too much for a {S}?",
            "Should I pay {A} for a {S}?",
        ],
        asked: &[
            "Is {A} a fair price for a {S}?",
            "Should one pay {A} for the {S}?",
            "Is a {S} really worth {A}?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "How long does the battery of a {S} last?",
            "When does the battery of a {S} die?",
            "How many hours does the battery of my {S} last?",
        ],
        asked: &[
            "For how many hours will the battery of a {S} last?",
            "How long before the battery of my {S} dies?",
            "What is the battery life of a {S}?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "How do I return a {S} to the shop?",
            "Can I get my money back for a {S}?",
            "Will the shop take back my {S}?",
        ],
        asked: &[
            "Can I return my {S} to the shop?",
            "How do I get my money back for a {S}?",
            "Do shops take back a {S}?",
        ],
    },
];

const PET: &[Intent] = &[
    Intent {
        detail: None,
        notes: &[
            "What does a {S} eat?",
            "What should I feed my {S}?",
            "Which food is best for a {S}?",
        ],
        asked: &[
            "What is the best food for my {S}?",
            "What do I feed a {S}?",
            "What should a {S} eat?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "How long does a {S} live?",
            "How old can a {S} get?",
            "What age does a {S} reach?",
        ],
        asked: &[
            "How old does a {S} get?",
            "For how long does a {S} live?",
            "What age can my {S} reach?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "How do I teach my {S} to sit?",
            "Can a {S} learn tricks?",
            "Is it possible to train a {S}?",
        ],
        asked: &[
            "How can I train my {S}?",
            "Can I teach a {S} tricks?",
            "How does a {S} learn to sit?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "Does a {S} bite?",
            "Is the bite of a {S} dangerous?",
            "A {S} bit me, should I worry?",
        ],
        asked: &[
            "Should I worry about the bite of a {S}?",
            "Is it dangerous if a {S} bites me?",
            "Will my {S} bite?",
        ],
    },
    Intent {
        detail: Some(Answer::Name(NameKind::Creature)),
        notes: &[
            "Can a {S} live with a {A}?",
            "Will my {S} and my {A} become friends?",
            "Can I keep a {S} and a {A} in one room?",
        ],
        asked: &[
            "Can I keep a {A} and a {S} together?",
            "Do a {S} and a {A} become friends?",
            "Could a {A} live in one room with a {S}?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "Why does my {S} not sleep?",
            "Why is my {S} awake all night?",
            "How do I make a {S} sleep?",
        ],
        asked: &[
            "How can I make my {S} sleep at night?",
            "What keeps my {S} awake all night?",
            "Why does a {S} never sleep?",
        ],
    },
    Intent {
        detail: Some(Answer::Number {
            from: 2,
            to: 60,
            unit: "days",
        }),
        notes: &[
            "Can I leave my {S} alone for {A}?",
            "Is it fine to leave a {S} alone for {A}?",
            "Will a {S} survive {A} alone?",
        ],
        asked: &[
            "Can my {S} stay alone for {A}?",
            "Does a {S} survive if it is alone for {A}?",
            "May one leave a {S} alone for {A}?",
        ],
    },
];

const CELEBRITY: &[Intent] = &[
    Intent {
        detail: None,
        notes: &[
            "How did {S} become rich?",
            "Where does the money of {S} come from?",
            "How did {S} make so much money?",
        ],
        asked: &[
            "How did {S} get so rich?",
            "How come {S} has so much money?",
            "What made {S} rich?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "Which book by {S} should I read first?",
            "What is the best book by {S}?",
            "Which is the best book that {S} wrote?",
        ],
        asked: &[
            "What book by {S} is the best?",
            "What should I read first by {S}?",
            "Which book of {S} is the best to read?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "Where does {S} live now?",
            "In which town does {S} live?",
            "Where is the house of {S}?",
        ],
        asked: &[
            "Which town does {S} live in now?",
            "Where is {S} living?",
            "In which town is the house of {S}?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "Why is {S} so famous?",
            "What is {S} famous for?",
            "Why does everyone know {S}?",
        ],
        asked: &[
            "For what is {S} famous?",
            "How come everyone knows {S}?",
            "What made {S} so famous?",
        ],
    },
    Intent {
        detail: Some(Answer::Name(NameKind::Person)),
        notes: &[
            "Are {S} and {A} married?",
            "Is {S} the spouse of {A}?",
            "Did {S} really marry {A}?",
        ],
        asked: &[
            "Is {S} married to {A}?",
            "Did {A} really marry {S}?",
            "Is it true that {S} and {A} married?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "How can I write a letter to {S}?",
            "What is the address of {S}?",
            "How do I contact {S}?",
        ],
        asked: &[
            "To which address can I write to {S}?",
            "How can I contact {S} by letter?",
            "Where do I send a letter to {S}?",
        ],
    },
    Intent {
        detail: None,
        notes: &[
            "What does {S} eat for breakfast?",
            "What is the diet of {S}?",
            "How does {S} stay so thin?",
        ],
        asked: &[
            "What diet keeps {S} so thin?",
            "Which diet does {S} follow?",
            "What is eaten by {S} for breakfast?",
        ],
    },
];
