use super::*;
use crate::domain::card;

fn parse(text: &str) -> Result<Template, TemplateError> {
    let toml = format!("name = \"x\"\nabout = \"\"\ntasks = [\"paraphrase\"]\n{text}");
    Template::parse("x.toml", &toml)
}

fn fill(template: &Template) -> Filled {
    template.fill(|slot| match slot {
        "text1" => Some("It's on."),
        "text2" => Some("It is on."),
        _ => None,
    })
}

#[test]
fn every_bundled_template_fits_a_bundled_domain_of_each_of_its_tasks() {
    let cards = card::bundled();
    for template in bundled() {
        for task in &template.tasks {
            let mut of_task = cards.iter().filter(|card| card.task == *task);
            assert!(of_task.clone().next().is_some(), "{}", template.name);
            let wrong = of_task.find_map(|card| template.check(card).err());
            assert_eq!(wrong, None, "{}", template.name);
        }
    }
}

#[test]
fn t5_s_own_format_fits_every_bundled_domain() {
    for card in card::bundled() {
        let template = Template::of_t5(&card);
        assert_eq!(template.check(&card), Ok(()), "{}", card.name);
        assert_eq!(template.vectors(), 0);
    }
}

#[test]
fn vectors_are_placed_at_their_slots() {
    let template =
        parse("text = \"{soft:2} one: {text1} {soft:1} {{two}}: {text2} {soft:1}\"").expect("one");
    let filled = fill(&template);
    assert_eq!(filled.text, "one: It's on. {two}: It is on.");
    let (middle, end) = ("one: It's on.".len(), filled.text.len());
    assert_eq!(filled.soft, [0, 0, middle, end]);
    assert_eq!(template.vectors(), 4);
    let pair = filled.pair("text1", "text2");
    assert_eq!(&filled.text[pair.first], "It's on.");
    assert_eq!(&filled.text[pair.second], "It is on.");
}

#[test]
fn a_rule_is_its_sub_prompts_and_keys_are_written_before_their_values() {
    let rule = parse(
        "text = \"{first} {relation}\"\n[parts]\nfirst = \"a {text1}\"\nrelation = \"b {text2}\"\n",
    );
    assert_eq!(rule.expect("a rule").text, "a {text1} b {text2}");
    let keys = parse(
        "[[fields]]\nkey = \"One\"\nvalue = \"{text1}\"\n[[fields]]\nkey = \"Two\"\nvalue = \"{text2}\"\n",
    );
    assert_eq!(keys.expect("fields").text, "[One] {text1} [Two] {text2}");
}

#[test]
fn an_error_names_file_key_and_what_was_wanted() {
    for (text, parts) in [
        ("", &["text", "neither"][..]),
        (
            "text = \"{soft:0}\"",
            &["text", "from 1 to 1000", "{soft:0}"],
        ),
        ("text = \"{soft:x}\"", &["{soft:5}", "{soft:x}"]),
        ("text = \"a { b\"", &["slots in braces", "'{ b'"]),
        ("text = \"a } b\"", &["doubled", "'} b'"]),
        ("text = \"{}\"", &["a field's name"]),
        (
            "text = \"{text1}\"\n[parts]\na = \"b\"",
            &["parts.a", "names it, {a}"],
        ),
        (
            "text = \"{a}{b}\"\n[parts]\na = \"{b}\"\nb = \"c\"",
            &["parts.a", "no other sub-prompt", "{b}"],
        ),
        ("txt = \"a\"", &["unknown field `txt`"]),
    ] {
        let message = parse(text).expect_err(text).to_string();
        assert!(message.starts_with("x.toml"), "{message}");
        for part in parts {
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}

#[test]
fn a_template_that_does_not_fit_a_domain_is_refused() {
    let cards = card::bundled();
    let find = |name| cards.iter().find(|card| card.name == name).expect("a card");
    for (text, name, part) in [
        (
            "text = \"{text1}\"",
            "qqp",
            "a place for {text2} or {question2}",
        ),
        ("text = \"{text1} {texts}\"", "qqp", "found {texts}"),
        (
            "text = \"{text1} {text2}\"",
            "rte",
            "a domain of paraphrase detection",
        ),
    ] {
        let error = parse(text).expect("a template").check(find(name));
        let message = error.expect_err(text).to_string();
        assert!(message.contains(part), "{message}");
    }
    let named = parse("text = \"{question1} {text2}\"").expect("a template");
    assert_eq!(named.check(find("qqp")), Ok(()));
    assert!(named.check(find("mrpc")).is_err());
}
