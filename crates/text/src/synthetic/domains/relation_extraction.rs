//! Terse entries of a fact base on persons and ships.

use super::lists::{GOODS, TRADES};
use super::{Domain, Task};
use crate::synthetic::grammar::{Answer, Reading, Relation, SubjectType};
use crate::synthetic::names::{NameKind, Pool};

pub(super) const DOMAIN: Domain = Domain {
    name: "relation_extraction",
    about: "Short entries on invented persons and ships, three to five sentences without any \
            ornament, and questions made from the slot names of a knowledge base, so that many of \
            them hardly are sentences. The passages are the shortest of all domains.",
    task: Task::Reading(Reading {
        pool: Pool::Source,
        facts: (3, 5),
        subjects: &[
            SubjectType {
                name: NameKind::Person,
                relations: PERSON,
            },
            SubjectType {
                name: NameKind::Ship,
                relations: SHIP,
            },
        ],
        openers: &["Reportedly,", "On record,", "As far as is known,"],
        asides: &[],
        aside_count: (0, 0),
    }),
};

const MEDALS: &[&str] = &[
    "Amber", "Silver", "Iron", "Golden", "Blue", "Royal", "Crystal", "Ivory",
];
const PRIZES: &[&str] = &["Medal", "Prize", "Cross", "Laurel", "Ribbon", "Cup"];
const INSTRUMENTS: &[&str] = &[
    "the cello",
    "the trumpet",
    "the harp",
    "the accordion",
    "the flute",
    "the bassoon",
    "the organ",
    "the banjo",
    "the tuba",
];
const CAUSES_OF_DEATH: &[&str] = &[
    "pneumonia",
    "old age",
    "a snake bite",
    "a fall",
    "smallpox",
    "a bad oyster",
    "lightning",
    "a stroke",
];

const PERSON: &[Relation] = &[
    Relation {
        answer: Answer::Name(NameKind::Person),
        told: &[
            "{S} is the child of the dancer {A}, a mother of nine.",
            "{A} was the mother of {S}.",
            "the mother of {S} was {A}.",
        ],
        held: &["{S} was raised by a mother, {A}, and two uncles."],
        notes: &[
            "mother of {S}?",
            "Who was the mother of {S}?",
            "Who is mother to {S}?",
        ],
        asked: &[
            "{S}, mother?",
            "What is the name of the mother of {S}?",
            "Which woman was the mother of {S}?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Province),
        told: &[
            "{S} is a citizen of {A}.",
            "{S} holds the citizenship of {A}.",
            "{A} granted citizenship to {S}.",
        ],
        held: &["{S} became a citizen of {A} by marriage."],
        notes: &[
            "citizenship of {S}?",
            "Of what is {S} a citizen?",
            "Which citizenship does {S} hold?",
        ],
        asked: &[
            "{S}, country of citizenship?",
            "Of which country is {S} a citizen?",
            "What country granted citizenship to {S}?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Town),
        told: &[
            "{S} resides in {A}.",
            "the residence of {S} is in {A}.",
            "{S} took up residence in {A}.",
        ],
        held: &["{S} keeps a residence in {A}."],
        notes: &[
            "residence of {S}?",
            "Where does {S} reside?",
            "Where is the residence of {S}?",
        ],
        asked: &[
            "{S}, place of residence?",
            "In which town does {S} reside?",
            "Where did {S} take up residence?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Company),
        told: &[
            "{S} was employed by {A}.",
            "the employer of {S} was {A}.",
            "{A} employed {S} for a year.",
        ],
        held: &["{S} left school and found an employer, {A}."],
        notes: &[
            "employer of {S}?",
            "Who employed {S}?",
            "By whom was {S} employed?",
        ],
        asked: &[
            "{S}, employer?",
            "Which company employed {S}?",
            "What was the employer of {S}?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Club),
        told: &[
            "{S} played for the team of {A}.",
            "{S} joined the team of {A} as a keeper.",
            "{A} had {S} on its team.",
        ],
        held: &["{S} was captain of the team of {A}."],
        notes: &[
            "team of {S}?",
            "For which team did {S} play?",
            "Which team did {S} join?",
        ],
        asked: &[
            "{S}, member of sports team?",
            "What team did {S} play for?",
            "Of what sports team was {S} a member?",
        ],
    },
    Relation {
        answer: Answer::Compound {
            article: "the",
            adjectives: MEDALS,
            nouns: PRIZES,
        },
        told: &[
            "{S} received {A} as an award.",
            "{S} won {A}, an award for patience.",
            "the award {A} was given to {S}.",
        ],
        held: &["{A} was the only award that {S} won."],
        notes: &[
            "award of {S}?",
            "Which award did {S} win?",
            "What award was given to {S}?",
        ],
        asked: &[
            "{S}, award received?",
            "Which award did {S} receive?",
            "What award did {S} win?",
        ],
    },
    Relation {
        answer: Answer::OneOf(INSTRUMENTS),
        told: &[
            "{S} played {A} at weddings.",
            "the instrument of {S} was {A}.",
            "as an instrument {S} chose {A}.",
        ],
        held: &["{S} practised one instrument, {A}, at night."],
        notes: &[
            "instrument of {S}?",
            "What instrument did {S} choose?",
            "What did {S} play at weddings?",
        ],
        asked: &[
            "{S}, instrument?",
            "Which instrument did {S} play?",
            "What was the instrument of {S}?",
        ],
    },
    Relation {
        answer: Answer::OneOf(TRADES),
        told: &[
            "the occupation of {S} is {A}.",
            "{S} gave the occupation as {A}.",
            "{S} has the occupation of {A}.",
        ],
        held: &["{S}, occupation {A}, signed first."],
        notes: &[
            "occupation of {S}?",
            "What occupation did {S} give?",
            "What is the occupation of {S}?",
        ],
        asked: &[
            "{S}, occupation?",
            "Which occupation does {S} have?",
            "What occupation does {S} have?",
        ],
    },
    Relation {
        answer: Answer::OneOf(CAUSES_OF_DEATH),
        told: &[
            "{S} died of {A}.",
            "the cause of death of {S} was {A}.",
            "{A} caused the death of {S}.",
        ],
        held: &["the death of {S} was put down to {A}."],
        notes: &[
            "cause of death of {S}?",
            "Of what did {S} die?",
            "What caused the death of {S}?",
        ],
        asked: &[
            "{S}, cause of death?",
            "What did {S} die of?",
            "What was the cause of death of {S}?",
        ],
    },
];

const SHIP: &[Relation] = &[
    Relation {
        answer: Answer::Name(NameKind::Company),
        told: &[
            "{S} was built by {A}.",
            "the builder of {S} was {A}.",
            "{A} built {S} in a hurry.",
        ],
        held: &["{A} was chosen as the builder of {S}."],
        notes: &[
            "builder of {S}?",
            "Who built {S}?",
            "By whom was {S} built?",
        ],
        asked: &[
            "{S}, builder?",
            "Which company built {S}?",
            "What company was the builder of {S}?",
        ],
    },
    Relation {
        answer: Answer::Year { from: 0, to: 110 },
        told: &[
            "{S} was launched in {A}.",
            "the launch of {S} took place in {A}.",
            "in {A} {S} was launched without champagne.",
        ],
        held: &["the year of launch of {S} is {A}."],
        notes: &[
            "year of launch of {S}?",
            "When was {S} launched?",
            "When did the launch of {S} take place?",
        ],
        asked: &[
            "{S}, year of launch?",
            "In what year was {S} launched?",
            "In which year did the launch of {S} take place?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Town),
        told: &[
            "the home port of {S} is {A}.",
            "{S} sails from its port, {A}.",
            "{S} is registered in the port of {A}.",
        ],
        held: &["{A} serves {S} as home port."],
        notes: &[
            "home port of {S}?",
            "What is the home port of {S}?",
            "From what port does {S} sail?",
        ],
        asked: &[
            "{S}, port of registry?",
            "Which port is the home of {S}?",
            "In which port is {S} registered?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Person),
        told: &[
            "the captain of {S} is {A}.",
            "{A} is captain of {S}.",
            "{S} sails under its captain, {A}.",
        ],
        held: &["{S} has {A} for a captain."],
        notes: &[
            "captain of {S}?",
            "Who is captain of {S}?",
            "Under which captain does {S} sail?",
        ],
        asked: &[
            "{S}, captain?",
            "What is the name of the captain of {S}?",
            "Who is the captain of {S}?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 31,
            to: 330,
            unit: "metres",
        },
        told: &[
            "{S} is {A} long.",
            "the length of {S} is {A}.",
            "{S} has a length of {A}.",
        ],
        held: &["{S} measures {A} in length."],
        notes: &[
            "length of {S}?",
            "How long is {S}?",
            "What is the length of {S}?",
        ],
        asked: &[
            "{S}, length?",
            "What length does {S} have?",
            "How many metres long is {S}?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Province),
        told: &[
            "{S} sails under the flag of {A}.",
            "the flag of {S} is that of {A}.",
            "{S} flies the flag of {A}.",
        ],
        held: &["{A} lends its flag to {S}."],
        notes: &[
            "flag of {S}?",
            "Under what flag does {S} sail?",
            "Whose flag does {S} fly?",
        ],
        asked: &[
            "{S}, flag state?",
            "Which flag does {S} fly?",
            "Under which flag does {S} sail?",
        ],
    },
    Relation {
        answer: Answer::OneOf(GOODS),
        told: &[
            "{S} carries a cargo of {A}.",
            "the cargo of {S} is {A}.",
            "{S} was loaded with {A}, its usual cargo.",
        ],
        held: &["{A} is the cargo of {S}."],
        notes: &[
            "cargo of {S}?",
            "What cargo does {S} carry?",
            "What is the cargo of {S}?",
        ],
        asked: &[
            "{S}, cargo?",
            "Which cargo does {S} carry?",
            "With what cargo is {S} loaded?",
        ],
    },
];
