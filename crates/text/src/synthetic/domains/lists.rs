//! Closed lists that several domains share.

pub(super) const TRADES: &[&str] = &[
    "painter",
    "architect",
    "botanist",
    "composer",
    "engineer",
    "poet",
    "historian",
    "surgeon",
    "astronomer",
    "chemist",
    "sculptor",
    "lawyer",
    "printer",
    "clockmaker",
    "gardener",
    "baker",
    "translator",
    "pilot",
    "cook",
    "tailor",
];
pub(super) const GOODS: &[&str] = &[
    "copper", "wool", "silk", "timber", "salt", "glass", "wheat", "paper", "iron", "honey",
    "leather", "tea", "coal", "pottery", "marble", "rope", "cheese", "lace",
];
pub(super) const NOVEL_ADJECTIVES: &[&str] = &[
    "Amber", "Silver", "Hidden", "Golden", "Broken", "Silent", "Crimson", "Frozen", "Hollow",
    "Burning", "Gentle", "Stolen", "Painted", "Crooked",
];
pub(super) const NOVEL_NOUNS: &[&str] = &[
    "Lantern", "Bridge", "Garden", "Tower", "River", "Mirror", "Harbor", "Forest", "Letter",
    "Crown", "Shadow", "Clock", "Window", "Orchard",
];
pub(super) const THING_ADJECTIVES: &[&str] = &[
    "silver", "red", "wooden", "folding", "striped", "green", "tiny", "velvet", "rusty", "orange",
];
pub(super) const THINGS: &[&str] = &[
    "kite",
    "bicycle",
    "notebook",
    "violin",
    "camera",
    "jacket",
    "watch",
    "lamp",
    "basket",
    "telescope",
    "umbrella",
    "scarf",
    "guitar",
    "teapot",
    "drum",
    "map",
];
pub(super) const ORGANS: &[&str] = &[
    "the heart",
    "the liver",
    "the kidney",
    "the lung",
    "the brain",
    "the skin",
    "the retina",
    "the colon",
    "the spleen",
    "bone marrow",
];
