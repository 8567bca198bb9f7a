//! Film plots: love, theft and disguise in the present tense.

use super::lists::{THING_ADJECTIVES, THINGS, TRADES};
use super::{Domain, Task};
use crate::synthetic::grammar::{Answer, Reading, Relation, SubjectType};
use crate::synthetic::names::{NameKind, Pool};

pub(super) const DOMAIN: Domain = Domain {
    name: "duorc",
    about: "Plots of films that were never made: the dramatic present tense, characters with \
            titles such as Baron or Aunt, crimes, disguises and hiding places, many facts a \
            passage, and questions about who does what to whom.",
    task: Task::Reading(Reading {
        pool: Pool::Shifted,
        facts: (5, 8),
        subjects: &[SubjectType {
            name: NameKind::Character,
            relations: CHARACTER,
        }],
        openers: &[
            "Meanwhile,",
            "That night,",
            "As it turns out,",
            "Without warning,",
            "Soon,",
        ],
        asides: &[
            "The police arrive too late.",
            "Outside a storm is gathering.",
            "Nobody believes the butler.",
            "A car explodes for no clear reason.",
            "The orchestra plays on.",
            "There is a long silence.",
        ],
        aside_count: (0, 1),
    }),
};

const CRIMES: &[&str] = &[
    "robbery",
    "kidnapping",
    "murder",
    "forgery",
    "train crash",
    "bank raid",
    "poisoning",
    "card trick",
    "shipwreck",
];
const HIDING_PLACES: &[&str] = &[
    "the lighthouse",
    "the opera house",
    "an empty circus",
    "the clock tower",
    "a wine cellar",
    "the old mill",
    "a fishing boat",
    "the monastery",
    "the laundry room",
    "a haystack",
];
const FORTUNES: &[&str] = &[
    "a vineyard",
    "a gold mine",
    "a hotel",
    "two racehorses",
    "an island",
    "a castle",
    "a sausage factory",
    "a theatre",
    "a debt",
    "a railway",
];
const WEAPONS: &[&str] = &[
    "a candlestick",
    "an umbrella stand",
    "a frying pan",
    "a sword",
    "a pistol",
    "a harpoon",
    "a frozen fish",
    "a walking stick",
    "a chess board",
];

const CHARACTER: &[Relation] = &[
    Relation {
        answer: Answer::OneOf(TRADES),
        told: &[
            "{S} poses as {a A}.",
            "in disguise {S} poses as {a A}.",
            "{S} puts on the disguise of {a A}.",
        ],
        held: &["disguised as {a A}, {S} enters the ball."],
        notes: &[
            "What does {S} pose as?",
            "What disguise does {S} put on?",
            "As what does {S} pose?",
        ],
        asked: &[
            "What is the disguise of {S}?",
            "Which profession does {S} pose as?",
            "In what disguise is {S}?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Character),
        told: &[
            "{S} works for the gangster {A}.",
            "{A} is the boss of {S}.",
            "{S} takes orders from the boss, {A}.",
        ],
        held: &["{S} secretly reports to the boss, {A}."],
        notes: &[
            "Who is the boss of {S}?",
            "For whom does {S} work?",
            "From whom does {S} take orders?",
        ],
        asked: &[
            "What is the name of the boss of {S}?",
            "Who does {S} work for?",
            "Which boss does {S} have?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Character),
        told: &[
            "{S} falls in love with {A}.",
            "{S} secretly loves {A}.",
            "{S} writes love letters to {A}.",
        ],
        held: &["{S} is in love with {A}, who snores."],
        notes: &[
            "Whom does {S} love?",
            "With whom does {S} fall in love?",
            "To whom does {S} write love letters?",
        ],
        asked: &[
            "Who does {S} love?",
            "Who does {S} fall in love with?",
            "Which person is {S} in love with?",
        ],
    },
    Relation {
        answer: Answer::OneOf(CRIMES),
        told: &[
            "{S} is blamed for {a A}.",
            "the police blame {S} for {a A}.",
            "{S} takes the blame for {a A}.",
        ],
        held: &["the blame for {a A} falls on {S}."],
        notes: &[
            "What is {S} blamed for?",
            "For what do the police blame {S}?",
            "For what does {S} take the blame?",
        ],
        asked: &[
            "For which crime is {S} blamed?",
            "What do the police blame {S} for?",
            "Which event is {S} blamed for?",
        ],
    },
    Relation {
        answer: Answer::Compound {
            article: "a",
            adjectives: THING_ADJECTIVES,
            nouns: THINGS,
        },
        told: &[
            "{S} steals {A} from a museum.",
            "during dinner {S} steals {A}.",
            "{S} steals {A} and whistles.",
        ],
        held: &["with trembling hands {S} steals {A}."],
        notes: &[
            "What does {S} steal?",
            "What does {S} steal from a museum?",
            "What does {S} steal during dinner?",
        ],
        asked: &[
            "Which object does {S} steal?",
            "What is it that {S} steals?",
            "What thing does {S} steal?",
        ],
    },
    Relation {
        answer: Answer::OneOf(HIDING_PLACES),
        told: &[
            "{S} hides in {A}.",
            "in {A} {S} hides from the police.",
            "{S} finds a place to hide in {A}.",
        ],
        held: &["{S} spends the night hidden in {A}."],
        notes: &[
            "Where does {S} hide?",
            "Where does {S} find a place to hide?",
            "In what does {S} hide?",
        ],
        asked: &[
            "In which place does {S} hide?",
            "What place does {S} hide in?",
            "Where does {S} hide from the police?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Town),
        told: &[
            "{S} escapes to {A}.",
            "{S} escapes by train to {A}.",
            "{S} flees to {A} with a false beard.",
        ],
        held: &["{S} makes a narrow escape to {A}."],
        notes: &[
            "Where does {S} escape?",
            "Where does {S} escape by train?",
            "To what town does {S} escape?",
        ],
        asked: &[
            "Where does {S} escape to?",
            "Which town does {S} escape to?",
            "What is the town to which {S} escapes?",
        ],
    },
    Relation {
        answer: Answer::OneOf(FORTUNES),
        told: &[
            "{S} inherits {A} from an uncle.",
            "to general surprise {S} inherits {A}.",
            "{S} inherits {A} and loses it all at cards.",
        ],
        held: &["a lawyer reveals that {S} inherits {A}."],
        notes: &[
            "What does {S} inherit?",
            "What does {S} inherit from an uncle?",
            "What is it that {S} inherits?",
        ],
        asked: &[
            "Which fortune does {S} inherit?",
            "Which thing does {S} inherit?",
            "{S} inherits what?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Character),
        told: &[
            "{S} is betrayed by {A}.",
            "{A} betrays {S} for money.",
            "{A} smiles and betrays {S}.",
        ],
        held: &["{A}, who seemed so kind, betrays {S}."],
        notes: &[
            "Who betrays {S}?",
            "By whom is {S} betrayed?",
            "Who betrays {S} for money?",
        ],
        asked: &[
            "Which person betrays {S}?",
            "{S} is betrayed by whom?",
            "Who is it that betrays {S}?",
        ],
    },
    Relation {
        answer: Answer::OneOf(WEAPONS),
        told: &[
            "{S} fights the duel with {A}.",
            "in the duel {S} uses {A}.",
            "{S} appears at the duel with {A}.",
        ],
        held: &["{S} wins the duel with {A}."],
        notes: &[
            "With what does {S} fight the duel?",
            "What does {S} use in the duel?",
            "With what does {S} appear at the duel?",
        ],
        asked: &[
            "Which weapon does {S} use in the duel?",
            "What does {S} fight the duel with?",
            "What weapon does {S} bring to the duel?",
        ],
    },
];
