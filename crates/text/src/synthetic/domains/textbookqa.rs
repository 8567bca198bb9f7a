//! School lessons on minerals and animals: long, patient and in the present tense.

use super::{Domain, Task};
use crate::synthetic::grammar::{Answer, Reading, Relation, SubjectType};
use crate::synthetic::names::{NameKind, Pool};

pub(super) const DOMAIN: Domain = Domain {
    name: "textbookqa",
    about: "Lessons of a school science book on invented minerals and animals: general statements \
            in the present tense, technical terms instead of persons, measures with units, and \
            passages that are longer than in the source because the book keeps addressing its \
            reader.",
    task: Task::Reading(Reading {
        pool: Pool::Shifted,
        facts: (5, 8),
        subjects: &[
            SubjectType {
                name: NameKind::Mineral,
                relations: MINERAL,
            },
            SubjectType {
                name: NameKind::Creature,
                relations: CREATURE,
            },
        ],
        openers: &[
            "As the figure shows,",
            "Scientists have found that",
            "In general,",
            "Notice that",
            "Remember that",
        ],
        asides: &[
            "This is an important idea.",
            "Look at the picture on the next page.",
            "You will learn more about this in lesson two.",
            "Do not try this at home.",
            "Remember these facts for the test on Friday.",
            "Have you ever seen one near your school?",
            "Nature is full of surprises, and this lesson holds a few of them.",
            "Compare the two drawings and discuss them with a partner.",
        ],
        aside_count: (2, 4),
    }),
};

const COLOURS: &[&str] = &[
    "pale green",
    "dark red",
    "bright yellow",
    "milky white",
    "deep blue",
    "black",
    "violet",
    "rust brown",
    "pink",
    "grey",
];
const ROCKS: &[&str] = &[
    "volcanic rock",
    "river sand",
    "deep caves",
    "dry lakes",
    "old glaciers",
    "hot springs",
    "coal seams",
    "sea cliffs",
];
const LIQUIDS: &[&str] = &[
    "vinegar",
    "lemon juice",
    "salt water",
    "warm oil",
    "rain water",
    "strong tea",
    "milk",
    "soapy water",
];
const PRODUCTS: &[&str] = &[
    "bricks",
    "window panes",
    "paint",
    "fireworks",
    "batteries",
    "tooth powder",
    "pencils",
    "spoons",
    "magnets",
    "mirrors",
];
const GROUPS: &[&str] = &[
    "oxides", "salts", "metals", "crystals", "clays", "waxes", "sulfides", "glasses",
];
const FOOD: &[&str] = &[
    "duckweed",
    "fallen apples",
    "ants",
    "moss",
    "snails",
    "pond algae",
    "acorns",
    "earthworms",
    "mushrooms",
    "nectar",
];
const HABITATS: &[&str] = &[
    "marshes",
    "hollow trees",
    "gravel pits",
    "mountain meadows",
    "mangrove swamps",
    "pine woods",
    "tide pools",
    "hedges",
    "grasslands",
    "roof gutters",
];
const DEFENCES: &[&str] = &[
    "playing dead",
    "whistling loudly",
    "changing colour",
    "spraying foam",
    "rolling downhill",
    "digging a tunnel",
    "puffing itself up",
    "shedding its tail",
];
const SLEEPS: &[&str] = &[
    "under ice",
    "in mud",
    "beneath tree roots",
    "in snow holes",
    "under stones",
    "in old nests",
    "inside logs",
];

const MINERAL: &[Relation] = &[
    Relation {
        answer: Answer::OneOf(GROUPS),
        told: &[
            "{S} belongs to the group of {A}.",
            "we class {S} with the {A}.",
            "chemists place {S} in the group of {A}.",
        ],
        held: &["the group to which {S} belongs is the {A}."],
        notes: &[
            "To which group does {S} belong?",
            "In which group do chemists place {S}?",
            "With what do we class {S}?",
        ],
        asked: &[
            "What group does {S} belong to?",
            "What is the group of {S}?",
            "In what group is {S} placed?",
        ],
    },
    Relation {
        answer: Answer::OneOf(COLOURS),
        told: &[
            "the colour of {S} is {A}.",
            "pure {S} has {a A} colour.",
            "in daylight the colour of {S} looks {A}.",
        ],
        held: &["{S} can be told by its {A} colour."],
        notes: &[
            "What is the colour of {S}?",
            "What colour has pure {S}?",
            "How does the colour of {S} look?",
        ],
        asked: &[
            "What colour does {S} have?",
            "Which colour is {S}?",
            "By what colour can {S} be told?",
        ],
    },
    Relation {
        answer: Answer::OneOf(ROCKS),
        told: &[
            "{S} is found in {A}.",
            "most {S} forms in {A}.",
            "in {A} you can find {S} with a small hammer.",
        ],
        held: &["look in {A} if you want to find {S}."],
        notes: &[
            "Where is {S} found?",
            "Where does most {S} form?",
            "Where can you find {S}?",
        ],
        asked: &[
            "In what kind of place is {S} found?",
            "In what does {S} form?",
            "Which places should you search to find {S}?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 110,
            to: 1900,
            unit: "degrees",
        },
        told: &[
            "{S} melts at {A}.",
            "the melting point of {S} is {A}.",
            "at {A} {S} begins to melt.",
        ],
        held: &["{S} must be heated to {A} before it melts."],
        notes: &[
            "At what temperature does {S} melt?",
            "What is the melting point of {S}?",
            "When does {S} begin to melt?",
        ],
        asked: &[
            "At how many degrees does {S} melt?",
            "Which melting point does {S} have?",
            "How hot must {S} be to melt?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Mineral),
        told: &[
            "when it is heated, {S} changes into {A}.",
            "heat turns {S} into {A}.",
            "{S} slowly turns into {A} under pressure.",
        ],
        held: &["{S} that stays hot for a year turns into {A}."],
        notes: &[
            "What does heat turn {S} into?",
            "Into what does {S} change?",
            "What does {S} turn into under pressure?",
        ],
        asked: &[
            "What does {S} turn into?",
            "Into which mineral does {S} change?",
            "Which mineral is {S} turned into by heat?",
        ],
    },
    Relation {
        answer: Answer::OneOf(LIQUIDS),
        told: &[
            "{S} dissolves in {A}.",
            "a spoon of {S} dissolves quickly in {A}.",
            "to dissolve {S}, stir it into {A}.",
        ],
        held: &["{A} is able to dissolve {S}."],
        notes: &[
            "In what does {S} dissolve?",
            "What dissolves {S}?",
            "What do you stir {S} into to dissolve it?",
        ],
        asked: &[
            "Which liquid dissolves {S}?",
            "What liquid does {S} dissolve in?",
            "In which liquid can you dissolve {S}?",
        ],
    },
    Relation {
        answer: Answer::OneOf(PRODUCTS),
        told: &[
            "people use {S} to make {A}.",
            "factories make {A} from {S}.",
            "{S} is used for {A}.",
        ],
        held: &["without {S} it would be hard to make {A}."],
        notes: &[
            "What do people use {S} for?",
            "What do factories make from {S}?",
            "What is {S} used to make?",
        ],
        asked: &[
            "For what is {S} used?",
            "What is made from {S}?",
            "What product do people make with {S}?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Person),
        told: &[
            "{S} was discovered by {A}.",
            "{A} discovered {S} on a picnic.",
            "the discovery of {S} is due to {A}.",
        ],
        held: &["we owe the discovery of {S} to {A}."],
        notes: &[
            "Who discovered {S}?",
            "To whom is the discovery of {S} due?",
            "By whom was {S} discovered?",
        ],
        asked: &[
            "Which scientist discovered {S}?",
            "What is the name of the discoverer of {S}?",
            "{S} was discovered by which person?",
        ],
    },
];

const CREATURE: &[Relation] = &[
    Relation {
        answer: Answer::OneOf(HABITATS),
        told: &[
            "the {S} lives in {A}.",
            "the {S} has its habitat in {A}.",
            "you may meet the {S} where it lives, in {A}.",
        ],
        held: &["the home of the {S} is in {A}, far from schools."],
        notes: &[
            "Where does the {S} live?",
            "What is the habitat of the {S}?",
            "Where may you meet the {S}?",
        ],
        asked: &[
            "In what habitat does the {S} live?",
            "What kind of place does the {S} live in?",
            "Which habitat is the home of the {S}?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 2,
            to: 98,
            unit: "centimetres",
        },
        told: &[
            "an adult {S} is {A} long.",
            "the {S} grows to a length of {A}.",
            "the length of the {S} is {A}, tail included.",
        ],
        held: &["from nose to tail the {S} is {A} long."],
        notes: &[
            "How long is an adult {S}?",
            "What is the length of the {S}?",
            "To what length does the {S} grow?",
        ],
        asked: &[
            "How long can the {S} get?",
            "How long does the {S} grow?",
            "What length does an adult {S} have?",
        ],
    },
    Relation {
        answer: Answer::OneOf(FOOD),
        told: &[
            "the {S} eats {A}.",
            "the diet of the {S} is mostly {A}.",
            "the {S} feeds on {A} at night.",
        ],
        held: &["a hungry {S} eats {A}."],
        notes: &[
            "What does the {S} eat?",
            "What is the diet of the {S}?",
            "On what does the {S} feed?",
        ],
        asked: &[
            "Which food does the {S} eat?",
            "What does the {S} feed on?",
            "What food makes up the diet of the {S}?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Creature),
        told: &[
            "the enemy of the {S} is the {A}.",
            "the {S} is hunted by the {A}.",
            "the {A} hunts the {S}.",
        ],
        held: &["the {S} fears only one enemy, the {A}."],
        notes: &[
            "What is the enemy of the {S}?",
            "What hunts the {S}?",
            "By what is the {S} hunted?",
        ],
        asked: &[
            "Which animal hunts the {S}?",
            "Which enemy does the {S} have?",
            "By which animal is the {S} hunted?",
        ],
    },
    Relation {
        answer: Answer::OneOf(DEFENCES),
        told: &[
            "in danger the {S} escapes by {A}.",
            "the {S} defends itself by {A}.",
            "by {A} the {S} escapes most dangers.",
        ],
        held: &["{A} is how the {S} escapes from danger."],
        notes: &[
            "How does the {S} escape in danger?",
            "How does the {S} defend itself?",
            "By doing what does the {S} escape?",
        ],
        asked: &[
            "By what means does the {S} escape?",
            "What helps the {S} escape from danger?",
            "How does the {S} escape from danger?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 2,
            to: 90,
            unit: "eggs",
        },
        told: &[
            "in spring the {S} lays {A}.",
            "a female {S} lays {A}.",
            "the {S} lays about {A} a year.",
        ],
        held: &["once a year the {S} lays {A} and looks surprised."],
        notes: &[
            "How many eggs does the {S} lay?",
            "What does the {S} lay in spring?",
            "How many eggs does a female {S} lay?",
        ],
        asked: &[
            "How many eggs are laid by the {S}?",
            "What number of eggs does the {S} lay?",
            "How many eggs a year does the {S} lay?",
        ],
    },
    Relation {
        answer: Answer::OneOf(SLEEPS),
        told: &[
            "the {S} sleeps through the winter {A}.",
            "in winter the {S} sleeps {A}.",
            "the winter sleep of the {S} takes place {A}.",
        ],
        held: &["all winter long the {S} sleeps {A}."],
        notes: &[
            "Where does the {S} sleep in winter?",
            "Where does the {S} sleep through the winter?",
            "Where does the winter sleep of the {S} take place?",
        ],
        asked: &[
            "In winter, where does the {S} sleep?",
            "What is the winter sleeping place of the {S}?",
            "Where can you find the {S} asleep in winter?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Person),
        told: &[
            "the {S} was first described by {A}.",
            "{A} wrote the first description of the {S}.",
            "{A} first described the {S} after being bitten by one.",
        ],
        held: &["the first description of the {S} was made by {A}."],
        notes: &[
            "Who first described the {S}?",
            "Who wrote the first description of the {S}?",
            "By whom was the {S} first described?",
        ],
        asked: &[
            "Which person first described the {S}?",
            "The first description of the {S} was written by whom?",
            "Who made the first description of the {S}?",
        ],
    },
];
