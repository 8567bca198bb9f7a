//! The source domain: encyclopaedia articles on persons, towns and institutions.

use super::lists::{GOODS, NOVEL_ADJECTIVES, NOVEL_NOUNS, THING_ADJECTIVES, THINGS, TRADES};
use super::{Domain, Task};
use crate::synthetic::grammar::{Answer, Reading, Relation, SubjectType};
use crate::synthetic::names::{NameKind, Pool};

pub(super) const DOMAIN: Domain = Domain {
    name: "squad",
    about: "Encyclopaedia articles on invented persons, towns and institutions: full sentences in \
            the past tense, questions with who, where, when and how many, and answers that are \
            names, years and amounts. The source domain.",
    task: Task::Reading(Reading {
        pool: Pool::Source,
        facts: (4, 7),
        subjects: &[
            SubjectType {
                name: NameKind::Person,
                relations: PERSON,
            },
            SubjectType {
                name: NameKind::Town,
                relations: TOWN,
            },
            SubjectType {
                name: NameKind::Institution,
                relations: INSTITUTION,
            },
        ],
        openers: &[
            "By all accounts,",
            "According to the parish records,",
            "As every schoolbook repeats,",
            "Most historians agree that",
            "It is well known that",
        ],
        asides: &[
            "Little else is recorded.",
            "The archives were lost in a fire.",
            "Historians still argue about the details, mostly at dinner.",
            "A statue was planned but never paid for.",
            "No portrait survives, which may be a kindness.",
            "The sources agree, which is rare.",
        ],
        aside_count: (0, 1),
    }),
};

const MOTTOS: &[&str] = &[
    "Slowly but Twice",
    "Measure Everything",
    "Never on Mondays",
    "Ask Again Later",
    "Light before Lunch",
    "Truth and Tea",
    "More Chairs",
    "Patience Pays",
    "Read the Label",
    "Onward, Gently",
];
const COLLECTIONS: &[&str] = &[
    "maps", "clocks", "bells", "beetles", "globes", "spoons", "keys", "kites", "coins", "masks",
    "hats", "fossils",
];
const DISHES: &[&str] = &[
    "dumplings",
    "onions",
    "cherries",
    "herring",
    "pumpkins",
    "chestnuts",
    "honey cake",
    "pears",
    "mustard",
    "walnuts",
];

const PERSON: &[Relation] = &[
    Relation {
        answer: Answer::Name(NameKind::Town),
        told: &[
            "{S} was born in {A}.",
            "the birthplace of {S} was {A}.",
            "{S} was born in a bakery in {A}.",
        ],
        held: &["it was in {A} that {S} was born."],
        notes: &[
            "Where was {S} born?",
            "What was the birthplace of {S}?",
            "In which place was {S} born?",
        ],
        asked: &[
            "In what town was {S} born?",
            "Which town was the birthplace of {S}?",
            "{S} was born in which town?",
        ],
    },
    Relation {
        answer: Answer::Year { from: 0, to: 0 },
        told: &[
            "{S} first saw the light of day in {A}.",
            "the birth of {S} fell in the year {A}.",
            "the year of birth of {S} is given as {A}.",
        ],
        held: &["the baptism book puts the birth of {S} in {A}."],
        notes: &[
            "In what year did the birth of {S} fall?",
            "What is the year of birth of {S}?",
            "When did {S} first see the light of day?",
        ],
        asked: &[
            "When was the birth of {S}?",
            "Which year of birth is given for {S}?",
            "In which year did {S} first see the light of day?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Person),
        told: &[
            "{S} was taught by {A}.",
            "the teacher of {S} was {A}.",
            "{A} taught {S} everything but arithmetic.",
        ],
        held: &["{A} was the first teacher of {S}."],
        notes: &[
            "Who taught {S}?",
            "Who was the teacher of {S}?",
            "What was the name of the teacher of {S}?",
        ],
        asked: &[
            "By whom was {S} taught?",
            "Which person taught {S}?",
            "{S} had which teacher?",
        ],
    },
    Relation {
        answer: Answer::OneOf(TRADES),
        told: &[
            "{S} worked as {a A}.",
            "by profession {S} was {a A}.",
            "{S} made a modest living as {a A}.",
        ],
        held: &["{S} earned a living as {a A}."],
        notes: &[
            "What was the profession of {S}?",
            "What did {S} work as?",
            "How did {S} make a living?",
        ],
        asked: &[
            "What was {S} by profession?",
            "As what did {S} work?",
            "Which profession did {S} have?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Person),
        told: &[
            "{S} married {A}.",
            "{S} was married to {A}, who owned a boat.",
            "{A} became the spouse of {S}.",
        ],
        held: &["{S} and {A} married in secret."],
        notes: &[
            "Whom did {S} marry?",
            "Who was the spouse of {S}?",
            "Who was married to {S}?",
        ],
        asked: &[
            "To whom was {S} married?",
            "Which person did {S} marry?",
            "What was the name of the spouse of {S}?",
        ],
    },
    Relation {
        answer: Answer::Compound {
            article: "The",
            adjectives: NOVEL_ADJECTIVES,
            nouns: NOVEL_NOUNS,
        },
        told: &[
            "{S} wrote {A}, a novel that nobody has finished.",
            "{A} is the best known novel by {S}.",
            "the novel {A} was written by {S}.",
        ],
        held: &["{S} spent nine winters on the novel {A}."],
        notes: &[
            "Which novel did {S} write?",
            "What is the best known novel by {S}?",
            "What did {S} write?",
        ],
        asked: &[
            "What novel was written by {S}?",
            "{S} wrote which novel?",
            "What is the title of the novel by {S}?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Institution),
        told: &[
            "{S} joined {A}.",
            "{S} was a member of {A}.",
            "{A} counted {S} among its members.",
        ],
        held: &["{S} became a member of {A} by mistake."],
        notes: &[
            "What did {S} join?",
            "Which body did {S} join?",
            "What was {S} a member of?",
        ],
        asked: &[
            "Of which institution was {S} a member?",
            "Which institution did {S} join?",
            "{S} was a member of what?",
        ],
    },
    Relation {
        answer: Answer::Compound {
            article: "a",
            adjectives: THING_ADJECTIVES,
            nouns: THINGS,
        },
        told: &[
            "{S} never travelled without {A}.",
            "{S} travelled everywhere with {A}.",
            "on every journey {S} carried {A}.",
        ],
        held: &["{S} would not travel without {A}."],
        notes: &[
            "What did {S} never travel without?",
            "What did {S} carry on every journey?",
            "With what did {S} travel?",
        ],
        asked: &[
            "What did {S} travel with everywhere?",
            "What object did {S} carry on journeys?",
            "Without what did {S} never travel?",
        ],
    },
    Relation {
        answer: Answer::Year { from: 58, to: 92 },
        told: &[
            "{S} died in {A}.",
            "{S} died peacefully in {A}, in the middle of a sentence.",
            "the death of {S} came in {A}.",
        ],
        held: &["in {A} {S} died of old age."],
        notes: &[
            "When did {S} die?",
            "In what year did {S} die?",
            "What was the year of death of {S}?",
        ],
        asked: &[
            "In which year did {S} die?",
            "When did the death of {S} come?",
            "Which year did {S} die in?",
        ],
    },
];

const TOWN: &[Relation] = &[
    Relation {
        answer: Answer::Name(NameKind::River),
        told: &[
            "{S} lies on {A}.",
            "{A} runs through {S}.",
            "{S} stands on the banks of {A}.",
        ],
        held: &["through {S} runs {A}, which floods politely."],
        notes: &[
            "Which river runs through {S}?",
            "On what river does {S} lie?",
            "On the banks of what does {S} stand?",
        ],
        asked: &[
            "What river does {S} lie on?",
            "What river runs through {S}?",
            "On the banks of which river does {S} stand?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Person),
        told: &[
            "{S} was founded by {A}.",
            "{A} founded {S} after losing a bet.",
            "the founder of {S} was {A}.",
        ],
        held: &["{A}, a shepherd, founded {S}."],
        notes: &[
            "Who founded {S}?",
            "Who was the founder of {S}?",
            "What was the name of the founder of {S}?",
        ],
        asked: &[
            "By whom was {S} founded?",
            "Which person founded {S}?",
            "{S} was founded by whom?",
        ],
    },
    Relation {
        answer: Answer::Year { from: 0, to: 0 },
        told: &[
            "the oldest street in {S} dates from {A}.",
            "the history of {S} begins in {A}.",
            "the first stone of {S} was laid in {A}.",
        ],
        held: &["in {A} the first stone of {S} was laid, slightly crooked."],
        notes: &[
            "When does the history of {S} begin?",
            "When was the first stone of {S} laid?",
            "From when does the oldest street in {S} date?",
        ],
        asked: &[
            "In what year was the first stone of {S} laid?",
            "In which year does the history of {S} begin?",
            "What year does the oldest street in {S} date from?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 11,
            to: 990,
            unit: "thousand",
        },
        told: &[
            "the population of {S} is {A}.",
            "{S} has a population of {A}, not counting geese.",
            "some {A} people live in {S}.",
        ],
        held: &["{S} is home to {A} people."],
        notes: &[
            "What is the population of {S}?",
            "How many people live in {S}?",
            "How large is the population of {S}?",
        ],
        asked: &[
            "How many people does {S} have?",
            "{S} has a population of how many?",
            "What population does {S} have?",
        ],
    },
    Relation {
        answer: Answer::OneOf(GOODS),
        told: &[
            "{S} exports mainly {A}.",
            "the main export of {S} is {A}.",
            "{S} grew rich on the export of {A}.",
        ],
        held: &["{A} is what {S} exports."],
        notes: &[
            "What does {S} export?",
            "What is the main export of {S}?",
            "On what export did {S} grow rich?",
        ],
        asked: &[
            "What does {S} mainly export?",
            "Which export made {S} rich?",
            "Which goods does {S} export?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Person),
        told: &[
            "the mayor of {S} is {A}.",
            "{A} serves as mayor of {S}.",
            "{S} elected {A} as its mayor.",
        ],
        held: &["{S} has had one mayor since the flood, {A}."],
        notes: &[
            "Who is the mayor of {S}?",
            "Whom did {S} elect as mayor?",
            "Who serves as mayor of {S}?",
        ],
        asked: &[
            "What is the name of the mayor of {S}?",
            "Which person is mayor of {S}?",
            "Who was elected mayor of {S}?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Mountain),
        told: &[
            "{A} rises above {S}.",
            "{S} lies at the foot of {A}.",
            "the mountain above {S} is called {A}.",
        ],
        held: &["above {S} rises {A}, usually in fog."],
        notes: &[
            "Which mountain rises above {S}?",
            "At the foot of what does {S} lie?",
            "What is the mountain above {S} called?",
        ],
        asked: &[
            "What mountain rises above {S}?",
            "At the foot of which mountain does {S} lie?",
            "What is the name of the mountain above {S}?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Province),
        told: &[
            "{S} is the capital of {A}.",
            "{S} belongs to the province of {A}.",
            "the province of {A} contains {S}.",
        ],
        held: &["{S} lies in the province of {A}."],
        notes: &[
            "Which province does {S} belong to?",
            "What province contains {S}?",
            "Of what is {S} the capital?",
        ],
        asked: &[
            "To which province does {S} belong?",
            "In what province is {S}?",
            "{S} is the capital of which province?",
        ],
    },
    Relation {
        answer: Answer::OneOf(DISHES),
        told: &[
            "every autumn {S} holds a festival of {A}.",
            "the autumn festival of {S} is devoted to {A}.",
            "{S} celebrates {A} with a festival and a brass band.",
        ],
        held: &["{S} holds its yearly festival in honour of {A}."],
        notes: &[
            "What does {S} celebrate every autumn?",
            "To what is the festival of {S} devoted?",
            "What is the festival in {S} about?",
        ],
        asked: &[
            "What does the festival of {S} celebrate?",
            "What does {S} celebrate with a festival?",
            "What is the autumn festival of {S} devoted to?",
        ],
    },
];

const INSTITUTION: &[Relation] = &[
    Relation {
        answer: Answer::Name(NameKind::Person),
        told: &[
            "{S} was founded by {A}.",
            "{A} founded {S} with borrowed money.",
            "the founder of {S} was {A}.",
        ],
        held: &["{S} owes its existence to the founder, {A}."],
        notes: &[
            "Who founded {S}?",
            "Who was the founder of {S}?",
            "What was the name of the founder of {S}?",
        ],
        asked: &[
            "By whom was {S} founded?",
            "Which person founded {S}?",
            "{S} was founded by whom?",
        ],
    },
    Relation {
        answer: Answer::Year { from: 0, to: 0 },
        told: &[
            "{S} opened its doors in {A}.",
            "{S} has been open since {A}.",
            "in {A} {S} opened in a rented attic.",
        ],
        held: &["{S} opened in {A}, two years late."],
        notes: &[
            "When did {S} open?",
            "When did {S} open its doors?",
            "Since when has {S} been open?",
        ],
        asked: &[
            "In what year did {S} open?",
            "Which year did {S} open its doors?",
            "Since what year has {S} been open?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Town),
        told: &[
            "{S} is based in {A}.",
            "the seat of {S} is {A}.",
            "{S} has its seat in {A}.",
        ],
        held: &["{A} is the seat of {S}."],
        notes: &[
            "Where is {S} based?",
            "Where is the seat of {S}?",
            "Where does {S} have its seat?",
        ],
        asked: &[
            "In which town is {S} based?",
            "What town is the seat of {S}?",
            "Which town is {S} based in?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Person),
        told: &[
            "{S} is led by {A}.",
            "{A} directs {S}.",
            "the director of {S} is {A}.",
        ],
        held: &["{A} is the director of {S} and waters its plants."],
        notes: &[
            "Who leads {S}?",
            "Who directs {S}?",
            "Who is the director of {S}?",
        ],
        asked: &[
            "By whom is {S} led?",
            "Which person directs {S}?",
            "What is the name of the director of {S}?",
        ],
    },
    Relation {
        answer: Answer::OneOf(COLLECTIONS),
        told: &[
            "{S} keeps a famous collection of {A}.",
            "the collection of {S} consists of {A}.",
            "{S} collects {A}, and nothing else.",
        ],
        held: &["nobody else collects {A} as {S} does."],
        notes: &[
            "What does {S} collect?",
            "Of what does the collection of {S} consist?",
            "What collection does {S} keep?",
        ],
        asked: &[
            "What is in the collection of {S}?",
            "Which things does {S} collect?",
            "{S} keeps a famous collection of what?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Institution),
        told: &[
            "the main rival of {S} is {A}.",
            "{S} competes with {A}.",
            "{S} has not spoken to its rival, {A}, for years.",
        ],
        held: &["{A} is a bitter rival of {S}."],
        notes: &[
            "What is the main rival of {S}?",
            "With what does {S} compete?",
            "What does {S} compete with?",
        ],
        asked: &[
            "Which rival does {S} have?",
            "Which institution is the rival of {S}?",
            "Which institution does {S} compete with?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 11,
            to: 990,
            unit: "clerks",
        },
        told: &[
            "{S} employs {A}.",
            "there are {A} at {S}.",
            "the staff of {S} numbers {A}.",
        ],
        held: &["{S} has a staff of {A}."],
        notes: &[
            "How many people does {S} employ?",
            "How large is the staff of {S}?",
            "Whom does {S} employ?",
        ],
        asked: &[
            "How many clerks does {S} employ?",
            "How many clerks are at {S}?",
            "What does the staff of {S} number?",
        ],
    },
    Relation {
        answer: Answer::OneOf(MOTTOS),
        told: &[
            "the motto of {S} is '{A}'.",
            "'{A}' is carved above the door of {S}.",
            "over the door of {S} stands the motto '{A}'.",
        ],
        held: &["the members of {S} sing the motto '{A}'."],
        notes: &[
            "What is the motto of {S}?",
            "What is carved above the door of {S}?",
            "Which motto stands over the door of {S}?",
        ],
        asked: &[
            "Which motto does {S} have?",
            "What motto is carved above the door of {S}?",
            "What motto do the members of {S} sing?",
        ],
    },
];
