"""Scripts of mappings: the objects they use in the usual ways, and scripts that mean harm or are broken."""

import time

import pytest

from control.errors import MappingRejected
from control.mapping import parse
from control.mapping_script import Script, ScriptCall
from control.scripts.process import ScriptWorld
from control.scripts.values import NAMES_OF, READINGS, SCALES, value_of_name
from control.scripts.wire import Asked, Begin, FromScript, Heard, Says, Sends, Shut, Told, Trouble, Watches

pytest.importorskip("quickjs")

PLAY, VOLUME, GAIN = "[Channel1],play", "[Channel1],volume", "[Channel1],pregain"


class Bench:
    """A script world with a clock, and the show as it would be if everything were done."""

    def __init__(self, script: str, *calls: tuple[int, int | None, str, str]) -> None:
        self.world = ScriptWorld()
        self.now = 1000.0
        self.values = {name: value_of_name(name, lambda path: None) for name in (*SCALES, *READINGS)}
        self.values |= {VOLUME: 1.0, GAIN: 1.0}
        scales = {name: scale.row() for name, scale in SCALES.items()}
        begin = Begin([("my.js", script)], ["My"], list(calls), scales, self.values, "Desk")
        self.world.obey(begin, self.now)
        self.begun = self.take()

    def take(self) -> list[FromScript]:
        out, self.world.out = self.world.out, []
        return out

    def hear(self, *data: int) -> list[FromScript]:
        self.world.obey(Heard(list(data)), self.now)
        return self.take()

    def tell(self, **values: float) -> list[FromScript]:
        self.world.obey(Told({f"[Channel1],{key}": value for key, value in values.items()}), self.now)
        return self.take()

    def wait(self, ms: float) -> list[FromScript]:
        """Let time pass, timer by timer."""
        end = self.now + ms
        while self.world.due_ms is not None and self.world.due_ms <= end:
            self.now = self.world.due_ms
            self.world.tick(self.now)
        self.now = end
        return self.take()


def sent(out: list[FromScript]) -> list[list[int]]:
    return [one.data for one in out if isinstance(one, Sends)]


def asked(out: list[FromScript]) -> list[tuple[str, float]]:
    return [(one.name, one.value) for one in out if isinstance(one, Asked)]


def troubles(out: list[FromScript]) -> list[str]:
    return [one.text for one in out if isinstance(one, Trouble)]


def test_init_a_light_and_a_button() -> None:
    bench = Bench(
        """
        var My = {};
        My.init = function (id) {
            engine.makeConnection("[Channel1]", "play", function (value, group, key) {
                midi.sendShortMsg(0x90, 0x0B, value ? 0x7F : 0x00);
            }).trigger();
            print("hello " + id);
        };
        My.play = function (channel, control, value, status, group) {
            if (value > 0) { engine.setValue(group, "play", !engine.getValue(group, "play")); }
        };
        My.shutdown = function () { midi.sendShortMsg(0x90, 0x0B, 1); };
        """,
        (0x90, 0x0B, "My.play", "[Channel1]"),
    )
    assert sent(bench.begun) == [[0x90, 0x0B, 0]]
    assert Says("hello Desk") in bench.begun
    assert Watches(PLAY) in bench.begun
    assert asked(bench.hear(0x90, 0x0B, 127)) == [(PLAY, 1.0)]
    assert bench.hear(0x90, 0x0B, 0) == []
    assert bench.hear(0x80, 0x0B, 0) == []  # a note off is another message
    assert sent(bench.tell(play=1.0)) == [[0x90, 0x0B, 0x7F]]
    assert bench.tell(play=1.0) == []
    assert asked(bench.hear(0x90, 0x0B, 127)) == [(PLAY, 0.0)]
    bench.world.obey(Shut(), bench.now)
    assert sent(bench.take()) == [[0x90, 0x0B, 1]]
    assert bench.world.ended


def test_a_shift_layer_by_a_variable() -> None:
    bench = Bench(
        """
        const My = {};
        let shifted = false;
        My.shift = (channel, control, value) => { shifted = value > 0; };
        My.pad = (channel, control, value, status, group) => {
            engine.setValue(group, "hotcue_" + (control - 15) + (shifted ? "_clear" : "_activate"), value > 0 ? 1 : 0);
        };
        """,
        (0x90, 1, "My.shift", ""), (0x90, 16, "My.pad", "[Channel2]"),
    )  # fmt: skip
    assert asked(bench.hear(0x90, 16, 100)) == [("[Channel2],hotcue_1_activate", 1.0)]
    bench.hear(0x90, 1, 127)
    assert asked(bench.hear(0x90, 16, 100)) == [("[Channel2],hotcue_1_clear", 1.0)]


def test_lights_blink_by_a_timer_until_it_is_stopped() -> None:
    bench = Bench(
        """
        var My = { lit: false };
        My.init = function () {
            My.timer = engine.beginTimer(250, function () {
                My.lit = !My.lit;
                midi.sendShortMsg(0x91, 7, My.lit ? 127 : 0);
            });
            engine.beginTimer(600, "My.once", true);
        };
        My.once = function () { midi.sendShortMsg(0x92, 1, 1); };
        My.stop = function () { engine.stopTimer(My.timer); };
        """,
        (0x90, 1, "My.stop", ""),
    )
    assert bench.begun == []
    assert sent(bench.wait(1000)) == [[0x91, 7, 127], [0x91, 7, 0], [0x92, 1, 1], [0x91, 7, 127], [0x91, 7, 0]]
    bench.hear(0x90, 1, 127)
    assert bench.wait(1000) == []
    assert bench.world.due_ms is None


def test_a_jog_wheel_scratches() -> None:
    bench = Bench(
        """
        var My = {};
        My.touch = function (channel, control, value) {
            if (value) { engine.scratchEnable(1, 128, 33 + 1 / 3, 1 / 8, 1 / 256); } else { engine.scratchDisable(1); }
        };
        My.turn = function (channel, control, value, status, group) {
            var ticks = value - 64;
            if (engine.isScratching(1)) { engine.scratchTick(1, ticks); } else { engine.setValue(group, "jog", ticks); }
        };
        """,
        (0x90, 0x36, "My.touch", ""), (0xB0, 0x22, "My.turn", "[Channel1]"),
    )  # fmt: skip
    assert asked(bench.hear(0xB0, 0x22, 66)) == [("[Channel1],jog", 2.0)]
    assert asked(bench.hear(0x90, 0x36, 127)) == [("/deck/1/touch", 1.0)]
    turn = 60 / (100 / 3)
    for number in range(1, 4):
        ((path, place),) = asked(bench.hear(0xB0, 0x22, 96))
        assert path == "/deck/1/scratch"
        assert place == pytest.approx(number * 32 / 128 * turn)
    assert asked(bench.hear(0x90, 0x36, 0)) == [("/deck/1/touch", 0.0)]


def test_components_buttons_inherit_shift_and_show() -> None:
    bench = Bench(
        """
        var My = {};
        My.Pad = function (number, options) {
            this.number = number;
            components.Button.call(this, options);
        };
        My.Pad.prototype = Object.create(components.Button.prototype);
        My.Pad.prototype.constructor = My.Pad;
        My.Pad.prototype.on = 0x20;
        My.Deck = function (number) {
            components.Deck.call(this, [number, number + 2]);
            this.play = new components.PlayButton({ midi: [0x90, 0x0B], group: this.currentDeck });
            this.cue = new My.Pad(1, {
                midi: [0x90, 0x10], group: this.currentDeck, key: "pfl", inKey: "pfl", outKey: "pfl",
                type: components.Button.prototype.types.toggle,
            });
            this.volume = new components.Pot({ group: this.currentDeck, inKey: "volume" });
        };
        My.Deck.prototype = Object.create(components.Deck.prototype);
        My.init = function () { My.left = new My.Deck(1); };
        My.shift = function (channel, control, value) { if (value) { My.left.shift(); } else { My.left.unshift(); } };
        My.swap = function (channel, control, value) { if (value) { My.left.toggle(); } };
        """,
        (0x90, 0x0B, "My.left.play.input", "[Channel1]"), (0x90, 0x10, "My.left.cue.input", "[Channel1]"),
        (0x90, 0x3F, "My.shift", ""), (0x90, 0x40, "My.swap", ""),
    )  # fmt: skip
    assert sent(bench.begun) == [[0x90, 0x0B, 0], [0x90, 0x10, 0]]
    assert asked(bench.hear(0x90, 0x0B, 127)) == [(PLAY, 1.0)]
    assert asked(bench.hear(0x90, 0x10, 127)) == [("[Channel1],pfl", 1.0)]
    assert sent(bench.tell(pfl=1.0, play_indicator=1.0)) == [[0x90, 0x10, 0x20], [0x90, 0x0B, 127]]
    bench.hear(0x90, 0x3F, 127)
    assert asked(bench.hear(0x90, 0x0B, 127)) == [("[Channel1],stop", 1.0)]
    bench.hear(0x90, 0x3F, 0)
    assert sent(bench.hear(0x90, 0x40, 127))[-2:] == [[0x90, 0x0B, 0], [0x90, 0x10, 0]]  # the other deck's lights
    assert asked(bench.hear(0x90, 0x0B, 127)) == [("[Channel3],play", 1.0)]


def test_soft_takeover_waits_for_the_fader() -> None:
    bench = Bench(
        """
        var My = {};
        My.init = function () { engine.softTakeover("[Channel1]", "volume", true); };
        My.fader = function (channel, control, value, status, group) {
            engine.setParameter(group, "volume", value / 127);
        };
        """,
        (0xB0, 3, "My.fader", "[Channel1]"),
    )
    assert bench.hear(0xB0, 3, 10) == []
    assert asked(bench.hear(0xB0, 3, 126)) == [(VOLUME, pytest.approx(126 / 127))]
    assert asked(bench.hear(0xB0, 3, 60)) == [(VOLUME, pytest.approx(60 / 127))]
    bench.tell(volume=0.0)  # another hand
    assert bench.hear(0xB0, 3, 61) == []


def test_parameters_have_unity_in_the_middle_of_a_gain() -> None:
    bench = Bench(
        """
        var My = {};
        My.gain = function (channel, control, value, status, group) {
            engine.setParameter(group, "pregain", value / 128);
            print(engine.getParameter(group, "pregain") + " " + engine.getValue(group, "pregain"));
        };
        """,
        (0xB0, 3, "My.gain", "[Channel1]"),
    )
    assert asked(bench.hear(0xB0, 3, 64)) == [(GAIN, 1.0)]
    assert asked(bench.hear(0xB0, 3, 127)) == [(GAIN, pytest.approx(3.953, abs=0.01))]
    assert Says("0.25 0.5") in bench.hear(0xB0, 3, 32)


def test_input_handlers_pitch_bend_and_system_exclusive() -> None:
    bench = Bench(
        """
        var My = {};
        My.init = function () {
            midi.makeInputHandler(0x93, 5, (channel, control, value) => midi.sendShortMsg(0xB3, control, value));
            midi.sendSysexMsg([0xF0, 0x7E, 0x7F, 0x06, 0x01, 0xF7], 6);
        };
        My.bend = (channel, control, value, status, group) => engine.setValue(group, "rate", value / 8192 - 1);
        My.incomingData = (data, length) => print("sysex " + length + " " + data[1]);
        """,
        (0xE0, None, "My.bend", "[Channel1]"),
    )
    assert sent(bench.begun) == [[0xF0, 0x7E, 0x7F, 0x06, 0x01, 0xF7]]
    assert sent(bench.hear(0x93, 5, 99)) == [[0xB3, 5, 99]]
    assert asked(bench.hear(0xE0, 0, 64)) == [("[Channel1],rate", 0.0)]
    assert Says("sysex 4 71") in bench.hear(0xF0, 71, 1, 0xF7)


def test_the_old_connect_control_by_name() -> None:
    bench = Bench(
        """
        var My = {};
        My.init = function () { engine.connectControl("[Channel1]", "play", "My.led"); };
        My.led = function (value) { midi.sendShortMsg(0x90, 1, value); };
        My.stop = function () { engine.connectControl("[Channel1]", "play", "My.led", true); };
        """,
        (0x90, 9, "My.stop", ""),
    )
    assert sent(bench.tell(play=1.0)) == [[0x90, 1, 1]]
    bench.hear(0x90, 9, 1)
    assert bench.tell(play=0.0) == []


def test_what_has_no_counterpart_is_said_once_and_kept_by_the_script() -> None:
    bench = Bench(
        """
        var My = {};
        My.init = function () {
            engine.makeConnection("[Skin]", "show_4decks", (value) => midi.sendShortMsg(0x90, 1, value));
        };
        My.press = function () {
            engine.setValue("[Skin]", "show_4decks", 1 - engine.getValue("[Skin]", "show_4decks"));
        };
        """,
        (0x90, 1, "My.press", ""),
    )
    assert Says("[Skin] show_4decks has no counterpart here") in bench.begun
    assert bench.hear(0x90, 1, 1) == [Sends([0x90, 1, 1])]
    assert bench.hear(0x90, 1, 1) == [Sends([0x90, 1, 0])]


ENDLESS = "My.bad = function () { while (true) {} };"
GREEDY = "My.bad = function () { var all = []; while (true) { all.push(new Array(100000).fill(1)); } };"
DEEP = "My.bad = function () { My.bad(); };"
CATCHING = "My.bad = function () { while (true) { try { while (true) {} } catch (error) {} } };"
REGULAR = "My.bad = function () { /(a+)+$/.test('a'.repeat(60) + 'b'); };"


@pytest.mark.parametrize(
    ("bad", "says"),
    [(ENDLESS, "too long"), (GREEDY, "memory"), (CATCHING, "too long"), (REGULAR, "too long"), (DEEP, "stack")],
    ids=["endless", "greedy", "catching", "regular", "deep"],
)
def test_harm_is_stopped_told_and_the_others_go_on(bad: str, says: str) -> None:
    bench = Bench(
        f"var My = {{}}; {bad} My.good = function (c, n, v, s, g) {{ engine.setValue(g, 'play', v > 0); }};",
        (0x90, 1, "My.bad", ""), (0x90, 2, "My.good", "[Channel1]"),
    )  # fmt: skip
    for _ in range(3):
        (told,) = troubles(bench.hear(0x90, 1, 127))
        assert says in told
        assert told.startswith("My.bad")
        assert asked(bench.hear(0x90, 2, 127)) == [(PLAY, 1.0)]
    if bad is not DEEP:  # an exception is cheap; what was cut off three times is called no more
        assert "called no more" in told
        assert bench.hear(0x90, 1, 127) == []
    assert asked(bench.hear(0x90, 2, 127)) == [(PLAY, 1.0)]


def test_an_endless_timer_is_taken_away() -> None:
    bench = Bench("var My = {}; My.init = () => engine.beginTimer(50, () => { for (;;) {} });")
    told = troubles(bench.wait(1000))
    assert len(told) == 3
    assert "called no more" in told[-1]
    assert bench.world.due_ms is None


def test_a_script_that_cannot_be_read_says_where() -> None:
    (told,) = troubles(Bench("var My = {;").begun)
    assert told.startswith("my.js: SyntaxError")


@pytest.mark.parametrize(
    "door",
    ["os", "std", "require", "process", "Deno", "fetch", "XMLHttpRequest", "__turn", "setTimeout", "load", "Worker"],
)
def test_there_are_no_doors(door: str) -> None:
    bench = Bench(f"var My = {{ init() {{ print(typeof {door}); }} }};")
    assert Says("undefined") in bench.begun


def test_nothing_is_imported() -> None:
    told = troubles(Bench("var My = {}; My.init = () => { import('os').then(() => print('in')); };").begun)
    assert told == []
    assert troubles(Bench("import * as os from 'os';").begun)


def test_a_flood_is_cut() -> None:
    bench = Bench(
        "var My = {}; My.flood = () => { for (let n = 0; n < 9000; n++) { midi.sendShortMsg(0x90, 1, 1); } };",
        (0x90, 1, "My.flood", ""),
    )
    out = bench.hear(0x90, 1, 1)
    assert len(sent(out)) == 4000
    assert len(troubles(out)) == 1


def test_a_call_costs_little() -> None:
    bench = Bench(
        "var My = {}; My.a = (c, n, v, s, g) => engine.setValue(g, 'rate', v / 127);", (0xB0, 1, "My.a", "[Channel1]")
    )
    begin = time.perf_counter()
    for value in range(1000):
        bench.hear(0xB0, 1, value % 128)
    ours = time.perf_counter() - begin
    begin = time.perf_counter()
    for _ in range(1000):
        sum(range(2000))  # some plain work, for a measure of the machine
    assert ours < 60 * (time.perf_counter() - begin)


@pytest.mark.parametrize("name", SCALES)
def test_every_scale_comes_back(name: str) -> None:
    scale = SCALES[name]
    ours = scale.to_ours(scale.default or 1.0)
    assert ours is not None
    assert name in NAMES_OF[scale.path]
    if scale.kind == "linear" and not scale.path.endswith(("/jog", "/beatjump", "/loop/beats", "/bend")):
        assert scale.to_ours(scale.from_ours(ours)) == pytest.approx(ours) if isinstance(ours, float) else True


def test_a_mapping_names_its_scripts_and_calls() -> None:
    mapping = parse(
        """
        [device]
        match = "desk*"
        [[script]]
        file = "My-desk.js"
        prefix = "My"
        [[call]]
        message = "90 0b"
        function = "My.decks[1].play.input"
        group = "[Channel1]"
        [[call]]
        message = "e0"
        function = "My.bend"
        """
    )
    assert mapping.scripts == (Script("My-desk.js", "My"),)
    assert mapping.calls == (
        ScriptCall(0x90, 0x0B, "My.decks[1].play.input", "[Channel1]"), ScriptCall(0xE0, None, "My.bend"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('[[script]]\nfile = "../my.js"', "plain name"),
        ('[[script]]\nfile = "my.py"', "plain name"),
        ('[[script]]\nfile = "my.js"\nprefix = "a b"', "object"),
        ('[[call]]\nmessage = "90 0b"\nfunction = "My.a"', "needs a [[script]]"),
        ('[[script]]\nfile = "my.js"\n[[call]]\nmessage = "10 0b"\nfunction = "My.a"', "status and number"),
        ('[[script]]\nfile = "my.js"\n[[call]]\nmessage = "90"\nfunction = "alert(1)"', "function"),
    ],
)
def test_what_is_wrong_is_said(table: str, says: str) -> None:
    with pytest.raises(MappingRejected, match=says.replace("[", r"\[").replace("]", r"\]")):
        parse(f'[device]\nmatch = "x"\n{table}')
