//! Match reports: teams, players and a great many numbers.

use super::{Domain, Task};
use crate::synthetic::grammar::{Answer, Reading, Relation, SubjectType};
use crate::synthetic::names::{NameKind, Pool};

pub(super) const DOMAIN: Domain = Domain {
    name: "drop",
    about: "Reports of invented football matches: teams in the plural, players of the day and \
            passages so full of numbers that the kind of the answer no longer tells which one is \
            asked for.",
    task: Task::Reading(Reading {
        pool: Pool::Shifted,
        facts: (4, 7),
        subjects: &[SubjectType {
            name: NameKind::Team,
            relations: TEAM,
        }],
        openers: &[
            "As expected,",
            "Once again,",
            "For the record,",
            "Strange as it sounds,",
            "For once,",
        ],
        asides: &[
            "The crowd was loud.",
            "It was a cold night, and the tea ran out.",
            "Both sides kicked the ball a lot.",
            "The referee lost his whistle twice.",
            "A dog ran across the field.",
            "The game went to overtime.",
        ],
        aside_count: (0, 1),
    }),
};

const INJURIES: &[&str] = &[
    "a sprained ankle",
    "a broken thumb",
    "a sore back",
    "a bruised knee",
    "a twisted neck",
    "a black eye",
    "a bitten tongue",
    "a stiff shoulder",
];

const TEAM: &[Relation] = &[
    Relation {
        answer: Answer::Name(NameKind::Person),
        told: &[
            "{S} are coached by {A}.",
            "coach {A} praised {S} after the game.",
            "{S} hoisted {A}, their coach, onto the bus.",
        ],
        held: &["{S} listened to {A}, their new coach."],
        notes: &[
            "Who coaches {S}?",
            "Which coach praised {S}?",
            "By whom are {S} coached?",
        ],
        asked: &[
            "Who is the coach of {S}?",
            "What is the name of the coach of {S}?",
            "{S} are coached by whom?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Person),
        told: &[
            "{S} started {A} at quarterback.",
            "quarterback {A} led {S}.",
            "the quarterback of {S} was {A}.",
        ],
        held: &["{S} trusted their quarterback, {A}."],
        notes: &[
            "Who was the quarterback of {S}?",
            "Which quarterback led {S}?",
            "Whom did {S} start at quarterback?",
        ],
        asked: &[
            "What was the name of the quarterback of {S}?",
            "Who played quarterback for {S}?",
            "Which quarterback did {S} start?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 3,
            to: 59,
            unit: "points",
        },
        told: &[
            "{S} scored {A} in the first half.",
            "by the break {S} had scored {A}.",
            "the first half brought {S} {A}.",
        ],
        held: &["{S} went into the break with {A}."],
        notes: &[
            "How many points did {S} score in the first half?",
            "How many points had {S} scored by the break?",
            "What did {S} score in the first half?",
        ],
        asked: &[
            "How many points did {S} have at the break?",
            "How many points were scored by {S} in the first half?",
            "What number of points did {S} score?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 101,
            to: 590,
            unit: "",
        },
        told: &[
            "{S} gained {A} yards.",
            "{S} gained a total of {A} yards.",
            "the offense of {S} gained {A} yards.",
        ],
        held: &["when it ended, {S} had gained {A} yards."],
        notes: &[
            "How many yards did {S} gain?",
            "How many yards did the offense of {S} gain?",
            "What total of yards did {S} gain?",
        ],
        asked: &[
            "How many yards were gained by {S}?",
            "What number of yards did {S} gain?",
            "How many yards in all did {S} gain?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 18,
            to: 62,
            unit: "",
        },
        told: &[
            "the longest kick of {S} flew {A} yards.",
            "{S} made a kick from {A} yards.",
            "a kick from {A} yards gave {S} the lead.",
        ],
        held: &["{S} took the lead with a kick from {A} yards."],
        notes: &[
            "How many yards was the longest kick of {S}?",
            "From how many yards did {S} make a kick?",
            "From how many yards was the kick that gave {S} the lead?",
        ],
        asked: &[
            "How long was the kick of {S} in yards?",
            "How many yards did the kick of {S} fly?",
            "From what distance in yards was the kick of {S}?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Person),
        told: &[
            "{A} caught a touchdown pass for {S}.",
            "{S} scored a touchdown through {A}.",
            "a touchdown by {A} put {S} ahead.",
        ],
        held: &["{S} cheered a late touchdown by {A}."],
        notes: &[
            "Who scored a touchdown for {S}?",
            "Whose touchdown put {S} ahead?",
            "Who caught a touchdown pass for {S}?",
        ],
        asked: &[
            "Which player scored the touchdown for {S}?",
            "By whom was the touchdown of {S}?",
            "Who made the touchdown for {S}?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 2,
            to: 30,
            unit: "penalties",
        },
        told: &[
            "{S} were punished with {A}.",
            "the referee gave {S} {A}.",
            "{S} collected {A} and a warning.",
        ],
        held: &["{S} complained about {A}."],
        notes: &[
            "How many penalties did the referee give {S}?",
            "With how many penalties were {S} punished?",
            "How many penalties did {S} collect?",
        ],
        asked: &[
            "How many penalties did {S} get?",
            "What number of penalties did {S} have?",
            "How many penalties were given to {S}?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 5,
            to: 98,
            unit: "thousand",
        },
        told: &[
            "{S} brought {A} fans to the stadium.",
            "the fans of {S} numbered {A}.",
            "some {A} fans sang for {S}.",
        ],
        held: &["{S} played before {A} fans of their own."],
        notes: &[
            "How many fans did {S} bring?",
            "How many fans sang for {S}?",
            "What did the fans of {S} number?",
        ],
        asked: &[
            "How many fans did {S} have in the stadium?",
            "How many were the fans of {S}?",
            "What number of fans came with {S}?",
        ],
    },
    Relation {
        answer: Answer::OneOf(INJURIES),
        told: &[
            "the captain of {S} left with {A}.",
            "{S} lost their captain to {A}.",
            "{A} forced the captain of {S} to stop.",
        ],
        held: &["the captain of {S} played on with {A}."],
        notes: &[
            "With what did the captain of {S} leave?",
            "To what did {S} lose their captain?",
            "What forced the captain of {S} to stop?",
        ],
        asked: &[
            "What injury did the captain of {S} have?",
            "Which injury did {S} lose their captain to?",
            "What was the injury of the captain of {S}?",
        ],
    },
];
