//! Abstracts of medical papers on genes and drugs.

use super::lists::ORGANS;
use super::{Domain, Task};
use crate::synthetic::grammar::{Answer, Reading, Relation, SubjectType};
use crate::synthetic::names::{NameKind, Pool};

pub(super) const DOMAIN: Domain = Domain {
    name: "bioasq",
    about: "Abstracts of papers on invented genes and drugs: impersonal sentences in the passive, \
            jargon and symbols such as KRT4 instead of names of people, doses with units, and \
            questions as a specialist asks them.",
    task: Task::Reading(Reading {
        pool: Pool::Shifted,
        facts: (4, 6),
        subjects: &[
            SubjectType {
                name: NameKind::Gene,
                relations: GENE,
            },
            SubjectType {
                name: NameKind::Drug,
                relations: DRUG,
            },
        ],
        openers: &[
            "In this study,",
            "Our data show that",
            "As reported previously,",
            "In contrast to earlier work,",
            "Interestingly,",
        ],
        asides: &[
            "Further studies are required, and funding would help.",
            "All results were significant.",
            "Samples were analyzed by sequencing.",
            "These findings suggest a novel mechanism.",
            "One reviewer disagreed.",
            "No conflict of interest was declared.",
        ],
        aside_count: (0, 2),
    }),
};

const MODELS: &[&str] = &[
    "zebrafish",
    "fruit flies",
    "field mice",
    "yeast cells",
    "rabbits",
    "frogs",
    "roundworms",
    "rats",
    "chick embryos",
];
const SYMPTOMS: &[&str] = &[
    "mild hiccups",
    "dry mouth",
    "blurred vision",
    "vivid dreams",
    "night sweats",
    "headache",
    "loss of appetite",
    "itching",
    "sneezing",
];
const PLANTS: &[&str] = &[
    "willow bark",
    "pine resin",
    "nettle leaves",
    "poppy seeds",
    "elder roots",
    "ginger",
    "red clover",
    "sea kelp",
    "foxglove",
];

const GENE: &[Relation] = &[
    Relation {
        answer: Answer::Name(NameKind::Disease),
        told: &[
            "mutations in {S} are associated with {A}.",
            "mutations of {S} cause {A}.",
            "patients with {A} carried mutations in {S}.",
        ],
        held: &["a strong association was seen between {S} mutations and {A}."],
        notes: &[
            "What do mutations of {S} cause?",
            "Mutations in {S} are associated with what?",
            "What did patients with mutations in {S} have?",
        ],
        asked: &[
            "Which disease is associated with mutations in {S}?",
            "Which disease do {S} mutations cause?",
            "What disease is linked to mutations of {S}?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Drug),
        told: &[
            "{S} is inhibited by {A}.",
            "treatment with {A} inhibits {S}.",
            "{A} acts as an inhibitor of {S}.",
        ],
        held: &["{A} was the most potent inhibitor of {S}."],
        notes: &[
            "What inhibits {S}?",
            "What acts as an inhibitor of {S}?",
            "By what is {S} inhibited?",
        ],
        asked: &[
            "Which drug inhibits {S}?",
            "Which inhibitor of {S} is known?",
            "By which drug is {S} inhibited?",
        ],
    },
    Relation {
        answer: Answer::OneOf(ORGANS),
        told: &[
            "{S} is expressed in {A}.",
            "expression of {S} was highest in {A}.",
            "{A} showed strong expression of {S}.",
        ],
        held: &["high expression of {S} was confined to {A}."],
        notes: &[
            "Where is {S} expressed?",
            "Where was expression of {S} highest?",
            "What showed strong expression of {S}?",
        ],
        asked: &[
            "In which tissue is {S} expressed?",
            "Which tissue shows expression of {S}?",
            "In what tissue was {S} expression high?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Gene),
        told: &[
            "{S} is regulated by {A}.",
            "{A} regulates the promoter of {S}.",
            "the regulator of {S} was identified as {A}.",
        ],
        held: &["{A} turned out to be a regulator of {S}."],
        notes: &[
            "What regulates {S}?",
            "What was identified as the regulator of {S}?",
            "By what is {S} regulated?",
        ],
        asked: &[
            "Which gene regulates {S}?",
            "Which regulator of {S} was found?",
            "By which gene is {S} regulated?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 1,
            to: 22,
            unit: "",
        },
        told: &[
            "{S} maps to chromosome {A}.",
            "{S} is located on chromosome {A}.",
            "the locus of {S} lies on chromosome {A}.",
        ],
        held: &["chromosome {A} contains the locus of {S}."],
        notes: &[
            "To which chromosome does {S} map?",
            "Where is {S} located?",
            "On what chromosome lies the locus of {S}?",
        ],
        asked: &[
            "On which chromosome is {S} located?",
            "What chromosome contains {S}?",
            "What is the chromosome of {S}?",
        ],
    },
    Relation {
        answer: Answer::OneOf(MODELS),
        told: &[
            "{S} was first studied in {A}.",
            "{S} was deleted in {A}, which did not mind.",
            "deletion of {S} was studied in {A}.",
        ],
        held: &["we studied {S} in {A}."],
        notes: &[
            "In what was {S} studied?",
            "In what was deletion of {S} studied?",
            "Where was {S} deleted?",
        ],
        asked: &[
            "In which animals or cells was {S} studied?",
            "In which organism was {S} deleted?",
            "Which organism was used to study {S}?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 80,
            to: 990,
            unit: "residues",
        },
        told: &[
            "the protein encoded by {S} has {A}.",
            "{S} encodes a protein of {A}.",
            "the protein product of {S} is {A} long.",
        ],
        held: &["{A} make up the protein encoded by {S}."],
        notes: &[
            "How long is the protein encoded by {S}?",
            "How many residues does the protein product of {S} have?",
            "How long a protein does {S} encode?",
        ],
        asked: &[
            "How many residues has the protein encoded by {S}?",
            "What is the length of the {S} protein?",
            "{S} encodes a protein of how many residues?",
        ],
    },
];

const DRUG: &[Relation] = &[
    Relation {
        answer: Answer::Name(NameKind::Disease),
        told: &[
            "{S} is indicated for {A}.",
            "{S} improved outcomes in patients with {A}.",
            "patients with {A} were treated with {S}.",
        ],
        held: &["{S} is the first treatment indicated for {A}."],
        notes: &[
            "What is {S} indicated for?",
            "In which patients did {S} improve outcomes?",
            "What was treated with {S}?",
        ],
        asked: &[
            "For which disease is {S} indicated?",
            "Which disease is treated with {S}?",
            "What disease can {S} treat?",
        ],
    },
    Relation {
        answer: Answer::OneOf(SYMPTOMS),
        told: &[
            "a common adverse effect of {S} is {A}.",
            "the adverse effects of {S} include {A}.",
            "{A} was an adverse effect of {S}.",
        ],
        held: &["the only adverse effect reported for {S} was {A}."],
        notes: &[
            "What is a common adverse effect of {S}?",
            "What do the adverse effects of {S} include?",
            "What was an adverse effect of {S}?",
        ],
        asked: &[
            "Which adverse effect does {S} have?",
            "Which adverse effect was reported for {S}?",
            "What adverse effect is caused by {S}?",
        ],
    },
    Relation {
        answer: Answer::Name(NameKind::Gene),
        told: &[
            "the target of {S} is {A}.",
            "{S} binds {A} with high affinity.",
            "{S} was designed to target {A}.",
        ],
        held: &["binding of {S} to its target {A} was confirmed."],
        notes: &[
            "What is the target of {S}?",
            "What does {S} bind?",
            "What was {S} designed to target?",
        ],
        asked: &[
            "Which protein is the target of {S}?",
            "Which protein does {S} bind?",
            "Which target does {S} have?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 2,
            to: 900,
            unit: "mg",
        },
        told: &[
            "the daily dose of {S} was {A}.",
            "{S} was given at a dose of {A}.",
            "a dose of {A} of {S} was well tolerated.",
        ],
        held: &["doses of {S} were limited to {A}."],
        notes: &[
            "What was the daily dose of {S}?",
            "At what dose was {S} given?",
            "What dose of {S} was well tolerated?",
        ],
        asked: &[
            "Which dose of {S} was given?",
            "How large was the dose of {S}?",
            "At which dose is {S} used?",
        ],
    },
    Relation {
        answer: Answer::OneOf(PLANTS),
        told: &[
            "{S} is extracted from {A}.",
            "{S} was first isolated from {A}.",
            "the source of {S} is {A}.",
        ],
        held: &["{A} is the natural source of {S}."],
        notes: &[
            "From what is {S} extracted?",
            "What was {S} first isolated from?",
            "What is the source of {S}?",
        ],
        asked: &[
            "From which plant is {S} extracted?",
            "Which plant is the source of {S}?",
            "What plant was {S} isolated from?",
        ],
    },
    Relation {
        answer: Answer::OneOf(ORGANS),
        told: &[
            "{S} is metabolized in {A}.",
            "{S} accumulates in {A}.",
            "high levels of {S} accumulate in {A}.",
        ],
        held: &["{A} is where {S} accumulates."],
        notes: &[
            "Where is {S} metabolized?",
            "Where does {S} accumulate?",
            "In what do high levels of {S} accumulate?",
        ],
        asked: &[
            "In which organ does {S} accumulate?",
            "Which organ accumulates {S}?",
            "In what organ is {S} metabolized?",
        ],
    },
    Relation {
        answer: Answer::Number {
            from: 24,
            to: 960,
            unit: "patients",
        },
        told: &[
            "the trial of {S} enrolled {A}.",
            "a trial with {A} compared {S} with sugar pills.",
            "{A} took part in the trial of {S}.",
        ],
        held: &["the pivotal trial of {S} included {A}."],
        notes: &[
            "How many patients did the trial of {S} enroll?",
            "How many patients took part in the trial of {S}?",
            "How large was the trial of {S}?",
        ],
        asked: &[
            "How many patients were in the trial of {S}?",
            "How many patients were enrolled for {S}?",
            "What number of patients did the trial of {S} include?",
        ],
    },
];
