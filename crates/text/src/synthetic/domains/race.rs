//! School stories: children, lost things and lunch.

use super::lists::{THING_ADJECTIVES, THINGS};
use super::{Domain, Task};
use crate::synthetic::grammar::{Answer, Reading, Relation, SubjectType};
use crate::synthetic::names::{NameKind, Pool};

pub(super) const DOMAIN: Domain = Domain {
    name: "race",
    about: "Little stories about school children, as in an English exam: plain words, feelings, \
            food and lost objects, given names only, and questions that refer to the story and \
            the passage as an examiner does.",
    task: Task::Reading(Reading {
        pool: Pool::Shifted,
        facts: (5, 8),
        subjects: &[SubjectType {
            name: NameKind::Child,
            relations: CHILD,
        }],
        openers: &[
            "As it happened,",
            "As everyone knew,",
            "It must be said that",
            "Strangely,",
            "Luckily,",
        ],
        asides: &[
            "It was a sunny day.",
            "Everyone laughed, even the caretaker.",
            "The story could end here, but it does not.",
            "The bus was late again.",
            "It rained all morning.",
            "Then the bell rang.",
            "Nobody had done the homework.",
            "The sky looked like cold porridge.",
        ],
        aside_count: (0, 2),
    }),
};

const PLACES: &[&str] = &[
    "the library",
    "the market",
    "the park",
    "the museum",
    "the bakery",
    "the station",
    "the beach",
    "the zoo",
    "the theatre",
    "the farm",
    "the stadium",
    "the bookshop",
    "the swimming pool",
];
const FEELINGS: &[&str] = &[
    "proud",
    "nervous",
    "happy",
    "angry",
    "tired",
    "lonely",
    "surprised",
    "worried",
    "brave",
    "jealous",
    "hopeful",
];
const FOODS: &[&str] = &[
    "pea soup",
    "warm bread",
    "carrot cake",
    "fried rice",
    "pancakes",
    "potato salad",
    "noodles",
    "apple pie",
    "cold porridge",
    "a boiled egg",
    "cheese toast",
];
const PETS: &[&str] = &[
    "a parrot",
    "a goat",
    "a hedgehog",
    "an old dog",
    "a goldfish",
    "a white mouse",
    "a tortoise",
    "a donkey",
    "a spotted cat",
    "a rabbit",
];
const SUBJECTS: &[&str] = &[
    "geography",
    "maths",
    "music",
    "history",
    "spelling",
    "art",
    "sport",
    "science",
    "French",
    "cooking",
];
const DREAMS: &[&str] = &[
    "a doctor",
    "a dancer",
    "a train driver",
    "a fire fighter",
    "a magician",
    "a vet",
    "an astronaut",
    "a baker",
    "a writer",
    "a clown",
];

const CHILD: &[Relation] = &[
    Relation {
        answer: Answer::Number {
            from: 6,
            to: 17,
            unit: "years",
        },
        told: &[
            "{S} was {A} old.",
            "{S} was {A} old and tall for that age.",
            "at {A} of age, {S} knew everything.",
        ],
        held: &["{S}, aged {A}, still believed in dragons."],
        notes: &[
            "How old was {S}?",
            "What was the age of {S}?",
            "How many years old was {S}?",
        ],
        asked: &[
            "In the story, how old was {S}?",
            "What was the age of {S} in the story?",
            "How old was {S} at that time?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Child),
        told: &[
            "the best friend of {S} was {A}.",
            "{S} and {A} were best friends.",
            "{S} shared every secret with a best friend, {A}.",
        ],
        held: &["{A} had been the best friend of {S} since Monday."],
        notes: &[
            "Who was the best friend of {S}?",
            "What was the name of the best friend of {S}?",
            "With whom did {S} share every secret?",
        ],
        asked: &[
            "In the story, who was the best friend of {S}?",
            "{S} had which best friend?",
            "Which child was the best friend of {S}?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Teacher),
        told: &[
            "the teacher of {S} was {A}.",
            "{A} taught the class of {S}.",
            "{S} had a strict teacher, {A}.",
        ],
        held: &["{S} was a little afraid of the teacher, {A}."],
        notes: &[
            "Who was the teacher of {S}?",
            "Who taught the class of {S}?",
            "Which strict teacher did {S} have?",
        ],
        asked: &[
            "In the story, what was the teacher of {S} called?",
            "In the story, who taught {S}?",
            "Which teacher did {S} have?",
        ],
    },
    Relation {
        answer: Answer::OneOf(SUBJECTS),
        told: &[
            "the favourite lesson of {S} was {A}.",
            "{S} liked lessons only when it was {A}.",
            "{S} was best at {A} of all lessons.",
        ],
        held: &["no lesson pleased {S} more than {A}."],
        notes: &[
            "What was the favourite lesson of {S}?",
            "When did {S} like lessons?",
            "At which of all lessons was {S} best?",
        ],
        asked: &[
            "Which lesson was the favourite of {S}?",
            "What lesson did {S} like best?",
            "According to the story, which lesson did {S} like?",
        ],
    },
    Relation {
        answer: Answer::OneOf(PETS),
        told: &[
            "at home {S} kept {A}.",
            "{S} had {A} as a pet.",
            "the pet of {S} was {A}.",
        ],
        held: &["{S} had a pet that ate socks, {A}."],
        notes: &[
            "What pet did {S} have?",
            "What did {S} keep at home?",
            "What was the pet of {S}?",
        ],
        asked: &[
            "Which animal was the pet of {S}?",
            "What kind of pet did {S} keep?",
            "In the story, which pet did {S} have?",
        ],
    },
    Relation {
        answer: Answer::OneOf(PLACES),
        told: &[
            "after school {S} went to {A}.",
            "{S} walked to {A} after school.",
            "{S} ran to {A} when the lessons were over.",
        ],
        held: &["{S} took the long way to {A} after school."],
        notes: &[
            "Where did {S} go after school?",
            "Where did {S} walk?",
            "Where did {S} run when the lessons were over?",
        ],
        asked: &[
            "To which place did {S} go after school?",
            "According to the story, where did {S} go?",
            "What place did {S} walk to?",
        ],
    },
    Relation {
        answer: Answer::Compound {
            article: "a",
            adjectives: THING_ADJECTIVES,
            nouns: THINGS,
        },
        told: &[
            "{S} bought {A} with a whole month of pocket money.",
            "for a birthday present {S} bought {A}.",
            "{S} saved up and bought {A}.",
        ],
        held: &["with borrowed coins {S} bought {A}."],
        notes: &[
            "What did {S} buy?",
            "What did {S} buy for a birthday present?",
            "What did {S} save up for?",
        ],
        asked: &[
            "According to the story, what did {S} buy?",
            "Which thing was bought by {S}?",
            "What did {S} spend money to buy?",
        ],
    },
    Relation {
        answer: Answer::OneOf(FOODS),
        told: &[
            "{S} ate {A} for lunch.",
            "for lunch {S} had {A}.",
            "the lunch box of {S} held {A}.",
        ],
        held: &["{S} was given {A} for lunch, again."],
        notes: &[
            "What did {S} eat for lunch?",
            "What did {S} have for lunch?",
            "What did the lunch box of {S} hold?",
        ],
        asked: &[
            "Which food did {S} eat for lunch?",
            "In the story, what was the lunch of {S}?",
            "What was in the lunch box of {S}?",
        ],
    },
    Relation {
        answer: Answer::OneOf(DREAMS),
        told: &[
            "{S} dreamed of becoming {A}.",
            "one day {S} wanted to become {A}.",
            "{S} told everyone about becoming {A}.",
        ],
        held: &["in every school essay {S} wanted to become {A}."],
        notes: &[
            "What did {S} dream of becoming?",
            "What did {S} want to become?",
            "What did {S} want to become one day?",
        ],
        asked: &[
            "What was it that {S} wanted to become?",
            "In the story, what did {S} want to become?",
            "Of becoming what did {S} dream?",
        ],
    },
    Relation {
        answer: Answer::OneOf(FEELINGS),
        told: &[
            "in the end {S} felt {A}.",
            "on the way home {S} felt {A}.",
            "{S} went to bed feeling {A}.",
        ],
        held: &["that evening {S} felt {A} without knowing why."],
        notes: &[
            "How did {S} feel in the end?",
            "How did {S} feel on the way home?",
            "How did {S} feel at bedtime?",
        ],
        asked: &[
            "How did {S} feel at the end of the story?",
            "What feeling did {S} have in the end?",
            "In the story, how did {S} feel?",
        ],
    },
];
