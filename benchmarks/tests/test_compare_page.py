"""/compare: any set of results against any other, and one against many."""

from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import all_tags, links, signed_in, tags, words

pytestmark = pytest.mark.django_db
LLAMA, QWEN, _ = world.MODELS


@pytest.fixture
def forge(database):
    return world.machine("forge")


def run(machine, rate=100.0, model=LLAMA, version="0.24.0", cells=("tg128",), **fields):
    offer = world.running(machine, model, cells=list(cells))
    body = world.body(offer, rate, **fields)
    environment = replace(body.environment, ollama=replace(body.environment.ollama, version=version))
    return world.deliver(machine, offer, replace(body, environment=environment))


def picked(*results, **more):
    return "/compare?" + urlencode({"result": [one.id for one in results], **more}, doseq=True)


def sides(base, other, **more):
    return "/compare?" + urlencode({"base": urlencode(base), "with": urlencode(other), **more})


def classes(page, *names):
    return [tag.get("class", "") for _, tag in all_tags(page) if set(names) <= set(tag.get("class", "").split())]


def test_without_results_it_says_what_to_do_first(database):
    page = signed_in().get("/compare")

    assert "Nothing to compare yet" in words(page)
    assert "/models" in links(page)


def test_without_sides_it_offers_a_form_of_all_that_was_measured(forge):
    run(forge)
    page = signed_in().get("/compare")

    assert "Choose two sides" in words(page)
    assert {"a_client", "b_client", "a_ollama_version", "a_session"} <= {tag["name"] for tag in tags(page, "select")}
    assert LLAMA in {tag.get("value") for tag in tags(page, "option")}


def test_the_form_leads_to_the_same_address_as_the_api_has(forge):
    run(forge)
    sent = {"a_client": str(forge.id), "a_model": LLAMA, "b_client": "", "b_model": "", "b_ollama_version": "0.25.0"}

    answer = signed_in().get("/compare?" + urlencode(sent))

    asked = parse_qs(urlsplit(answer["Location"]).query)
    assert asked == {"base": [urlencode({"client": forge.id, "model": LLAMA})], "with": ["ollama_version=0.25.0"]}


def test_two_picked_results_are_compared_cell_by_cell_with_a_verdict_in_a_sentence(forge):
    slow, fast = run(forge, 100.0), run(forge, 110.0)

    page = signed_in().get(picked(slow, fast))
    text = words(page)

    assert "B is faster than A in 1 of 1 cell, by 10.0 %." in text
    assert "Faster p 0.002, 6 against 6 samples" in text
    assert "Decode, tok/s higher is better" in text
    assert "Nothing: every condition on record is the same on both sides." in text
    assert (len(classes(page, "pa")), len(classes(page, "pb"))) == (6, 6)
    assert classes(page, "chg", "good")


def test_the_baseline_is_the_one_that_is_named(forge):
    slow, fast = run(forge, 100.0), run(forge, 110.0)

    text = words(signed_in().get(picked(slow, fast, baseline=fast.id)))

    assert "B is slower than A in 1 of 1 cell" in text


def test_a_shorter_time_is_drawn_as_better(forge):
    slow, fast = (run(forge, rate, cells=["chat512/128"]) for rate in (100.0, 120.0))

    page = signed_in().get(picked(slow, fast))

    assert "lower is better" in words(page)
    assert "Of times, less is better" in words(page)
    assert classes(page, "chg", "good")
    assert not classes(page, "chg", "bad")


def test_what_differs_is_said_first_and_what_prevents_a_comparison_can_be_allowed(forge):
    run(forge, 100.0), run(forge, 120.0, version="0.25.0")
    address = sides({"until": "2000-01-01T00:00:00Z"}, {"model": LLAMA})
    one, two = run(forge, 100.0), run(forge, 120.0, version="0.25.0")
    address = sides({"session": str(one.session)}, {"session": str(two.session)})
    browser = signed_in()

    page = browser.get(address)
    allow = next(link for link in links(page) if "about=ollama" in link)

    assert "Ollama version 0.24.0 0.25.0 keeps 1 cell from being compared" in words(page)
    assert "1 cell cannot be compared." in words(page)
    assert "Ollama version: 0.24.0 against 0.25.0." in words(page)
    assert words(page).index("What differs") < words(page).index("Verdict")
    assert "B is faster than A in 1 of 1 cell" in words(browser.get("/compare" + allow))


def test_picked_results_may_differ_in_what_they_were_picked_for(forge):
    old, new = run(forge, 100.0), run(forge, 120.0, version="0.25.0")

    page = signed_in().get(picked(old, new))

    assert "Ollama 0.24.0 against Ollama 0.25.0" in words(page)
    assert "what the comparison is about" in words(page)
    assert "Faster" in words(page)


def test_machines_are_compared_by_sessions_and_it_says_why_one_is_too_few(forge):
    atlas = world.machine("atlas")
    run(forge, 100.0), run(atlas, 120.0)

    text = words(signed_in().get(sides({"client": forge.id}, {"client": atlas.id})))

    assert "forge against atlas" in text
    assert "Too few to tell 1 against 1 session medians are too few" in text
    assert "Nothing can be said about B against A. 1 cell has too few values to tell." in text


def test_one_baseline_against_many_is_a_heat_map_with_marks_and_words(forge):
    base = run(forge, 100.0)
    fast, slow, same = run(forge, 150.0), run(forge, 95.0), run(forge, 100.1)

    page = signed_in().get(picked(base, fast, slow, same))
    cells = [tag for _, tag in all_tags(page) if "h" in tag.get("class", "").split() and "data-value" in tag]

    assert [tag["data-value"] for tag in cells] == [
        "+50.0 % (Faster)",
        "−5.0 % (Slower)",
        "+0.1 % (No detectable difference)",
    ]
    assert [tag["class"] for tag in cells] == ["h good h3", "h bad h1", "h"]
    assert "Compare all with" in words(page)


def test_each_cell_of_a_heat_map_leads_to_its_comparison(forge):
    base, fast, other = run(forge, 100.0), run(forge, 150.0), run(forge, 100.0)
    browser = signed_in()

    page = browser.get(picked(base, fast, other))
    pair = next(link for link in links(page) if f"with=result%3D{fast.id}" in link)

    assert "B is faster than A in 1 of 1 cell, by 50.0 %." in words(browser.get("/compare" + pair))


def test_too_many_columns_are_left_out_and_it_says_so(forge):
    base = run(forge)

    page = signed_in().get(
        "/compare?"
        + urlencode({"base": f"result={base.id}", "with": [f"session={i:024x}" for i in range(9)]}, doseq=True)
    )

    assert "Only 8 of 9 sets are compared with the first at a time." in words(page)


def test_another_metric_can_be_chosen(forge):
    slow, fast = run(forge, 100.0), run(forge, 110.0)
    browser = signed_in()

    page = browser.get(picked(slow, fast))

    assert "itl" in {tag.get("value") for tag in tags(page, "option")}
    assert "ITL, ms" in words(browser.get(picked(slow, fast, metric="itl")))


def test_what_may_differ_can_be_ticked(forge):
    one, two = run(forge, 100.0), run(forge, 120.0, version="0.25.0")
    both = {"base": f"session={one.session}", "with": f"session={two.session}"}

    page = signed_in().get("/compare?" + urlencode({**both, "about": ["ollama", "machine"]}, doseq=True))

    ticked = [tag["value"] for tag in tags(page, "input") if tag.get("name") == "about" and "checked" in tag]
    assert ticked == ["machine", "ollama"]


def test_the_same_question_goes_to_the_api(forge):
    slow, fast = run(forge, 100.0), run(forge, 110.0)
    browser = signed_in()

    page = browser.get(picked(slow, fast))
    answer = browser.get(next(link for link in links(page) if link.startswith("/api/v1/compare")))

    (row,) = answer.json()["rows"]
    assert (row["verdict"], row["change_percent"]) == ("faster", pytest.approx(10))


def test_sides_can_be_swapped(forge):
    slow, fast = run(forge, 100.0), run(forge, 110.0)
    browser = signed_in()

    page = browser.get(picked(slow, fast))
    swapped = next(link for link in links(page) if link.startswith(f"?base=result%3D{fast.id}"))

    assert "B is slower than A" in words(browser.get("/compare" + swapped))


def test_the_same_results_on_both_sides_are_said_to_be_the_same(forge):
    result = run(forge)

    page = signed_in().get(sides({"session": result.session}, {"model": LLAMA}))

    assert "Both sides are the same results." in words(page)


def test_one_side_alone_asks_for_the_other(forge):
    result = run(forge)

    assert "One side is missing." in words(signed_in().get(picked(result)))


def test_results_that_were_removed_are_said_to_be_gone(forge):
    one, two = run(forge), run(forge, 110.0)
    browser = signed_in()

    gone = words(browser.get(f"/compare?result={one.id}&result=gone-1"))
    partly = words(browser.get(sides({"result": f"{one.id},gone-1"}, {"result": two.id})))

    assert "Nothing on side B." in gone
    assert "1 of the results on side A are not there. They may have been removed." in partly
    assert "B is faster than A" in partly


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("base=nonsense&with=x", "“base” is not a query"),
        ("base=client%3Dx&with=model%3Da", "“base.client”"),
        ("base=colour%3Dred&with=model%3Da", "“base.colour” is no filter of results"),
        ("base=model%3Da&with=model%3Db&about=weather", "“about”: “weather”"),
        ("base=model%3Da&with=model%3Db&metric=colour", "“metric”: “colour” is none of"),
        ("result=%00&result=x", "“result”"),
        ("surprise=1", "“surprise”: this page has no such filter."),
    ],
)
def test_nonsense_is_named_and_never_breaks_the_page(forge, query, said):
    run(forge)

    page = signed_in().get(f"/compare?{query}")

    assert page.status_code == 200
    assert said in words(page)


def test_too_many_cells_at_once_are_refused_in_words(forge, monkeypatch):
    monkeypatch.setattr("benchmarks.compare.MOST_ROWS", 1)
    one, two = run(forge, cells=["tg128", "pp512"]), run(forge, cells=["tg128", "pp512"])

    assert "Too much to compare at once. These are 2 cells" in words(signed_in().get(picked(one, two)))


def test_simulated_results_say_so(forge):
    one, two = run(forge, simulated=True), run(forge, 110.0, simulated=True)

    assert words(signed_in().get(picked(one, two))).count("simulated") >= 2


def test_a_hostile_name_is_shown_and_does_no_harm(database):
    name = "<script>alert(1)</script>\u202e" + "x" * 200
    machine = world.machine("m", models=[name])
    one, two = run(machine, model=name), run(machine, 110.0, model=name)

    page = signed_in().get(picked(one, two))

    assert page.status_code == 200
    assert all(tag.get("src") for tag in tags(page, "script"))


def test_viewers_may_compare_and_strangers_sign_in_first(forge, client):
    run(forge)

    assert signed_in(Role.VIEWER).get("/compare").status_code == 200
    assert client.get("/compare").status_code in (302, 403)
