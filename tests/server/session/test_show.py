"""Laws of the show: nothing lost that matters, nobody slowed, everybody told."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import pytest

from audio.commands import CommandKind
from server.session.effects import EngineCommand, Notice
from server.session.facts import AudibleDeck, EngineRestored, GapChanged
from server.session.intent import Intent, Refused
from server.session.show import Show
from server.session.subscription import MAILBOX
from tests.server.session.fake_deckhand import FakeDeckhand

pytestmark = pytest.mark.anyio
EMPTY = (AudibleDeck(),) * 4


@asynccontextmanager
async def running(deckhand: FakeDeckhand, **options: object) -> AsyncIterator[Show]:
    show = Show(deckhand, **options)  # type: ignore[arg-type]
    deckhand.report = show.report
    async with anyio.create_task_group() as tasks:
        await tasks.start(show.run)
        show.report(EngineRestored(EMPTY, 48_000))
        await show.settle()
        deckhand.commands.clear()
        deckhand.batches = 0
        yield show
        tasks.cancel_scope.cancel()


async def test_every_surface_hears_a_change_the_sender_included():
    async with running(FakeDeckhand()) as show, show.subscribe("osc") as osc, show.subscribe("web") as web:
        rev = show.rev
        show.submit(Intent("/deck/1/volume", 0.5, "osc"))
        for surface in (osc, web):
            heard = await anext(surface)
            assert (heard.changes, heard.source, heard.lagged) == ({"/deck/1/volume": 0.5}, "osc", False)
            assert heard.rev == show.rev == rev + 1
        assert show.controls["/deck/1/volume"] == 0.5


async def test_a_storm_costs_one_command_and_ends_at_the_last_value():
    deckhand = FakeDeckhand()
    async with running(deckhand) as show:
        for k in range(20_000):
            show.submit(Intent("/deck/1/volume", k / 20_000, "storm"))
            show.submit(Intent("/mixer/crossfader", k / 20_000, "storm"))
        await show.settle()
        assert len(deckhand.commands) == 2 and deckhand.batches == 1
        assert show.controls["/deck/1/volume"] == 19_999 / 20_000 == show.controls["/mixer/crossfader"]


async def test_what_a_hand_moves_needs_no_turn_of_the_loop():
    deckhand = FakeDeckhand()
    async with running(deckhand) as show:
        show.submit(Intent("/deck/1/volume", 0.5, "osc"))
        show.act()
        assert [command.kind for command in deckhand.commands] == [CommandKind.DECK_VOLUME]
        assert show.controls["/deck/1/volume"] == 0.5
        await show.settle()
        assert len(deckhand.commands) == 1


async def test_a_storm_waits_for_its_turn_in_order():
    deckhand = FakeDeckhand()
    async with running(deckhand) as show:
        for k in range(40):
            show.submit(Intent("/deck/1/trim_db" if k % 2 else "/deck/1/eq/low/kill", k % 4 // 2, "storm"))
            show.act() if k > 20 else None
        assert not deckhand.commands
        await show.settle()
        assert show.controls["/deck/1/trim_db"] == 1 == show.controls["/deck/1/eq/low/kill"]


async def test_nothing_is_taken_while_the_task_does_not_run():
    deckhand = FakeDeckhand()
    show = Show(deckhand)
    show.submit(Intent("/deck/1/volume", 0.5, "osc"))
    show.act()
    assert not deckhand.commands and show.controls["/deck/1/volume"] != 0.5


async def test_presses_keep_their_order_among_fader_moves():
    deckhand = FakeDeckhand()
    async with running(deckhand) as show:
        for k in range(3_000):
            show.submit(Intent("/deck/1/stem/drums/mute", k % 2, "a"))
            show.submit(Intent("/deck/1/volume", 0.1, "a"))
            show.submit(Intent("/deck/1/volume", k / 3_000, "b"))
        await show.settle()
        mutes = [c.a for c in deckhand.commands if c.kind is CommandKind.STEM_MUTE]
        volumes = [c.a for c in deckhand.commands if c.kind is CommandKind.DECK_VOLUME]
        assert mutes == [float(k % 2) for k in range(3_000)]
        assert volumes == [k / 3_000 for k in range(3_000)]
        kinds = [c.kind for c in deckhand.commands]
        assert kinds == [CommandKind.STEM_MUTE, CommandKind.DECK_VOLUME] * 3_000
        assert deckhand.batches < 6_000 / 10


async def test_timed_values_are_all_kept():
    deckhand = FakeDeckhand()
    async with running(deckhand) as show:
        for frame in range(1, 101):
            show.submit(Intent("/deck/1/volume", frame / 100, "score", at=frame * 480))
        await show.settle()
        assert [(c.frame, c.a) for c in deckhand.commands] == [(f * 480, f / 100) for f in range(1, 101)]


async def test_an_alias_means_the_deck_that_had_the_focus_when_it_was_moved():
    async with running(FakeDeckhand()) as show:
        show.submit(Intent("/stem/1/volume", 0.25))
        show.submit(Intent("/session/focus", "2"))
        show.submit(Intent("/stem/1/volume", 0.75))
        await show.settle()
        assert show.controls["/deck/1/stem/vocals/volume"] == 0.25
        assert show.controls["/deck/2/stem/vocals/volume"] == 0.75


async def test_a_flood_beyond_the_bound_is_refused_and_told():
    refusals: list[Refused] = []
    async with running(FakeDeckhand(), capacity=100) as show:
        for k in range(150):
            show.submit(Intent("/deck/1/stem/drums/mute", k % 2, reply=refusals.append))
        assert [r.code for r in refusals] == ["busy"] * 50
        await show.settle()
        show.submit(Intent("/deck/1/volume", 0.5, reply=refusals.append))
        await show.settle()
        assert show.controls["/deck/1/volume"] == 0.5 and len(refusals) == 50


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("/deck/1/volume", float("nan"), "bad_value"),
        ("/deck/1/volume", "x", "bad_value"),
        ("/deck/9/volume", 1.0, "unknown_control"),
        ("/deck/1/play", 1, "deck_empty"),
    ],
)
async def test_bad_requests_are_answered_once_and_change_nothing(path, value, code):
    refusals: list[Refused] = []
    deckhand = FakeDeckhand()
    async with running(deckhand) as show:
        before = dict(show.controls)
        show.submit(Intent("/deck/1/volume", 0.5))
        show.submit(Intent(path, value, "test", reply=refusals.append))
        await show.settle()
        assert [r.code for r in refusals] == [code]
        assert dict(show.controls) == before | {"/deck/1/volume": 0.5}, "a bad value never displaces a good one"
        assert [c.kind for c in deckhand.commands] == [CommandKind.DECK_VOLUME]


async def test_an_unknown_track_is_answered_to_the_one_who_asked():
    refusals: list[Refused] = []
    notices: list[Notice] = []
    async with running(FakeDeckhand({"a": 10.0})) as show:
        show.watch(notices.append)
        show.submit(Intent("/deck/1/load", "zzz", reply=refusals.append))
        show.submit(Intent("/deck/2/load", "a", reply=refusals.append))
        await show.settle()
        await show.settle()
        assert [r.code for r in refusals] == ["unknown_track"] == [n.code for n in notices]
        assert show.controls["/deck/1/status"] == "failed" and show.controls["/deck/2/status"] == "ready"


async def test_load_and_play_in_one_breath():
    deckhand = FakeDeckhand({"a": 10.0}, prompt=False)
    async with running(deckhand) as show:
        show.submit(Intent("/deck/1/load", "a"))
        show.submit(Intent("/deck/1/play", 1))
        await show.settle()
        assert deckhand.commands == [] and show.controls["/deck/1/play"] == 1
        deckhand.finish(0)
        await show.settle()
        assert [(c.kind, c.a) for c in deckhand.commands] == [(CommandKind.DECK_PLAY, 1.0)]


async def test_commands_before_a_load_reach_the_engine_before_it():
    deckhand = FakeDeckhand({"a": 10.0})
    order: list[str] = []
    async with running(deckhand) as show:
        send, load = deckhand.send, deckhand.load
        deckhand.send = lambda commands: (order.append("send"), send(commands))[1]  # type: ignore[method-assign]
        deckhand.load = lambda *wish: (order.append("load"), load(*wish))[1]  # type: ignore[method-assign]
        show.submit(Intent("/deck/1/volume", 0.5))
        show.submit(Intent("/deck/1/load", "a"))
        show.submit(Intent("/deck/1/volume", 0.7))
        await show.settle()
        assert order[:3] == ["send", "load", "send"]


async def test_a_slow_surface_is_bounded_and_then_given_the_whole_show():
    async with running(FakeDeckhand()) as show, show.subscribe("slow") as slow, show.subscribe("quick") as quick:
        for k in range(MAILBOX + 50):
            show.submit(Intent("/deck/1/volume", k / 1000, f"source {k}"))
            await show.settle()
            assert (await anext(quick)).changes == {"/deck/1/volume": k / 1000}
        assert slow.lagged and not quick.lagged
        heard = await anext(slow)
        assert heard.lagged and heard.rev == show.rev and heard.changes == dict(show.controls)
        show.submit(Intent("/deck/1/volume", 1.0, "after"))
        heard = await anext(slow)
        assert not heard.lagged and heard.changes == {"/deck/1/volume": 1.0}


async def test_changes_of_two_sources_are_not_mixed():
    async with running(FakeDeckhand()) as show, show.subscribe("web") as web:
        show.submit(Intent("/deck/1/volume", 0.1, "a"))
        show.submit(Intent("/deck/2/volume", 0.2, "a"))
        show.submit(Intent("/deck/3/volume", 0.3, "b"))
        show.report(GapChanged(0, True))
        heard = [await anext(web) for _ in range(3)]
        assert [(h.source, h.changes) for h in heard] == [
            ("a", {"/deck/1/volume": 0.1, "/deck/2/volume": 0.2}),
            ("b", {"/deck/3/volume": 0.3}),
            ("engine", {"/deck/1/gap": 1}),
        ]
        assert [h.rev for h in heard] == sorted({h.rev for h in heard})


async def test_a_faulty_surface_does_not_stop_the_show(caplog: pytest.LogCaptureFixture):
    def faulty(_: object) -> None:
        raise RuntimeError("surface")

    async with running(FakeDeckhand()) as show:
        show.watch(faulty)
        show.notice(Notice("info", "x", "x"))
        show.submit(Intent("/nowhere", 1, reply=faulty))
        show.submit(Intent("/deck/1/volume", 0.5))
        await show.settle()
        assert show.controls["/deck/1/volume"] == 0.5
    assert caplog.text.count("a listener of the show failed") == 2


async def test_a_fault_on_the_way_to_the_engine_is_told_and_stops_nothing(caplog: pytest.LogCaptureFixture):
    class Faulty(FakeDeckhand):
        broken = False

        def send(self, commands: Sequence[EngineCommand]) -> None:
            if self.broken:
                raise RuntimeError("ring")
            super().send(commands)

    deckhand, told = Faulty(), []
    async with running(deckhand) as show:
        show.watch(lambda notice: told.append(notice.level))
        deckhand.broken = True
        show.submit(Intent("/deck/1/volume", 0.25))
        await show.settle()
        deckhand.broken = False
        show.submit(Intent("/deck/1/volume", 0.5))
        await show.settle()
    assert [command.a for command in deckhand.commands] == [0.5]
    assert told == ["error"] and "the engine was not told" in caplog.text


async def test_the_session_knows_where_the_playheads_are():
    deckhand = FakeDeckhand({"a": 100.0})
    async with running(deckhand) as show:
        show.submit(Intent("/deck/2/load", "a"))
        await show.settle()
        await show.settle()
        token = show.state.decks[1].token
        deckhand.heard[1] = AudibleDeck(token, 12.5, True, 100.0)
        rev, controls = show.session()
        assert rev == show.rev and controls["/deck/2/position"] == 12.5 and controls["/deck/1/position"] == 0.0
        deckhand.heard[1] = AudibleDeck(token + 1, 99.0, True, 100.0)
        assert show.positions()[1] == 0.0, "the place of another track is not this one's"


async def test_a_log_hears_what_was_obeyed():
    heard: list[tuple[str, float]] = []
    time = iter(range(1000))
    options = {"on_intent": lambda intent, now: heard.append((intent.path, now)), "clock": lambda: float(next(time))}
    async with running(FakeDeckhand(), **options) as show:
        show.submit(Intent("/deck/1/volume", 0.5))
        show.submit(Intent("/deck/1/play", 1))
        show.submit(Intent("/deck/1/stem/bass/mute", 1))
        await show.settle()
    assert [path for path, _ in heard] == ["/deck/1/volume", "/deck/1/stem/bass/mute"]
    assert [now for _, now in heard] == sorted(now for _, now in heard)


async def test_what_a_reader_holds_never_changes_under_it():
    async with running(FakeDeckhand()) as show:
        controls, state = show.controls, show.state
        show.submit(Intent("/deck/1/volume", 0.5))
        await show.settle()
        assert controls["/deck/1/volume"] == 1.0 == state.controls["/deck/1/volume"]
        with pytest.raises(TypeError):
            controls["/deck/1/volume"] = 0  # type: ignore[index]
