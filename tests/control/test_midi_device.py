"""What a message asks for: modes, takeover and feedback of one device, without ports and without a show."""

from control.control import Value
from control.mapping import parse
from control.midi_device import MidiDevice
from control.midi_messages import decode
from control.registry import REGISTRY

HEAD = '[device]\nmatch = "x"\n'
PORT = "desk 20:0"


class Desk:
    """A device on a mapping, a pretended show that answers at once, and a clock that the test holds."""

    def __init__(self, *rows: str, echoes: bool = True) -> None:
        text = HEAD + "".join(f"[[map]]\n{row}\n" for row in rows)
        self.values: dict[str, Value] = {
            path: control.default for path, control in REGISTRY.items() if control.default is not None
        }
        self.device = MidiDevice(PORT, "desk", parse(text), self.values.get)
        self.now = 100.0
        self.echoes = echoes
        self.focus = "1"

    def send(self, *data: int, after: float = 0.2) -> list[tuple[str, Value]]:
        self.now += after
        moves = [(move.path, move.value) for move in self.device.hear(decode(data), self.focus, self.now)]
        if self.echoes:
            for path, value in moves:
                self.set(path, value, own=True)
        return moves

    def set(self, path: str, value: Value, own: bool = False) -> None:
        self.values[path] = value
        self.device.changed(path, value, own, self.focus, self.now)

    def shown(self) -> list[tuple[int, ...]]:
        self.now += 1.0
        return [tuple(message) for message in self.device.feedback.due(self.now)]


FADER = 'source = "cc 1/21"\npath = "/deck/1/volume"\ncurve = "linear"'
MUTE = "/deck/1/stem/vocals/mute"


def test_a_fader_takes_its_control_only_where_it_stands() -> None:
    desk = Desk(FADER)
    assert desk.send(0xB0, 21, 10) == []
    assert desk.send(0xB0, 21, 60) == []
    assert desk.send(0xB0, 21, 127) == [("/deck/1/volume", 1.0)]
    assert desk.send(0xB0, 21, 64) == [("/deck/1/volume", 0.5)]
    desk.now += 1
    desk.set("/deck/1/volume", 0.9)
    assert desk.send(0xB0, 21, 60) == [], "another surface moved it away"
    assert desk.send(0xB0, 21, 127), "it passed the control, and has it again"


def test_jump_takes_it_wherever_it_stands() -> None:
    desk = Desk(FADER + '\ntakeover = "jump"')
    assert desk.send(0xB0, 21, 0) == [("/deck/1/volume", 0.0)]


def test_a_learned_fader_moves_its_control_at_once() -> None:
    desk = Desk(FADER)
    mapping = desk.device.mapping
    assert mapping is not None
    desk.device.take(mapping.entries[0])
    assert desk.send(0xB0, 21, 32) == [("/deck/1/volume", 0.25)]


def test_a_storm_of_moves_before_the_first_echo_keeps_its_hold() -> None:
    desk = Desk(FADER, echoes=False)
    assert desk.send(0xB0, 21, 127) == [("/deck/1/volume", 1.0)]
    sent = [desk.send(0xB0, 21, value, after=0.001) for value in range(126, 20, -1)]
    assert all(sent)
    for moves in sent:
        for path, value in moves:
            desk.set(path, value, own=True)
    assert desk.send(0xB0, 21, 20)


def test_two_faders_on_one_control_do_not_fight() -> None:
    desk = Desk(FADER, 'source = "cc 1/22"\npath = "/deck/1/volume"\ncurve = "linear"')
    desk.send(0xB0, 22, 127)
    desk.send(0xB0, 21, 127)
    desk.send(0xB0, 21, 40)
    assert desk.send(0xB0, 22, 120) == [], "the first fader moved it away from the second"


def test_a_range_an_inverted_fader_and_the_controls_own_curve() -> None:
    desk = Desk(
        'source = "cc 1/1"\npath = "/deck/1/trim_db"\nrange = [-12, 0]\ntakeover = "jump"\ncurve = "linear"',
        'source = "cc 1/2"\npath = "/mixer/crossfader"\ninvert = true\ntakeover = "jump"',
        'source = "cc 1/3"\npath = "/mixer/master"\ntakeover = "jump"',
    )
    assert [desk.send(0xB0, 1, value)[0][1] for value in (0, 64, 127)] == [-12.0, -6.0, 0.0]
    assert [desk.send(0xB0, 2, value)[0][1] for value in (0, 64, 127)] == [1.0, 0.0, -1.0]
    assert [desk.send(0xB0, 3, value)[0][1] for value in (0, 64, 127)] == [0.0, 0.25, 1.0]


def test_a_button_toggles_on_the_press_alone() -> None:
    desk = Desk(f'source = "note 1/36"\npath = "{MUTE}"')
    assert [desk.send(0x90, 36, 100), desk.send(0x80, 36, 0), desk.send(0x90, 36, 1), desk.send(0x90, 36, 0)] == [
        [(MUTE, 1)], [], [(MUTE, 0)], [],
    ]  # fmt: skip


def test_two_fast_presses_before_the_echo_are_two() -> None:
    desk = Desk(f'source = "note 1/36"\npath = "{MUTE}"', echoes=False)
    assert desk.send(0x90, 36, 100) == [(MUTE, 1)]
    desk.send(0x80, 36, 0, after=0.01)
    assert desk.send(0x90, 36, 100, after=0.01) == [(MUTE, 0)]


def test_a_cc_button_toggles_once_a_press_and_a_cc_switch_follows_its_place() -> None:
    desk = Desk(f'source = "cc 1/50"\npath = "{MUTE}"', f'source = "cc 1/51"\npath = "{MUTE}"\nmode = "absolute"')
    assert [desk.send(0xB0, 50, value) for value in (127, 127, 100, 0, 127)] == [[(MUTE, 1)], [], [], [], [(MUTE, 0)]]
    assert [desk.send(0xB0, 51, value) for value in (127, 127, 63, 64)] == [[(MUTE, 1)], [], [(MUTE, 0)], [(MUTE, 1)]]


def test_momentary_holds_while_it_is_pressed() -> None:
    desk = Desk('source = "note 1/1"\npath = "/deck/1/stop"', f'source = "cc 1/1"\npath = "{MUTE}"\nmode = "momentary"')
    assert [desk.send(0x90, 1, 1), desk.send(0x80, 1, 0)] == [[("/deck/1/stop", 1)], [("/deck/1/stop", 0)]]
    assert [desk.send(0xB0, 1, value) for value in (127, 100, 0)] == [[(MUTE, 1)], [], [(MUTE, 0)]]


def test_an_encoder_turns_from_where_the_control_is_whoever_put_it_there() -> None:
    desk = Desk('source = "cc 1/16"\npath = "/mixer/crossfader"\nmode = "relative"\nstep = 0.05')
    desk.set("/mixer/crossfader", 0.5)
    assert desk.send(0xB0, 16, 1)[0][1] == 0.6
    assert desk.send(0xB0, 16, 126)[0][1] == 0.4
    for _ in range(50):
        desk.send(0xB0, 16, 1, after=0.001)
    assert desk.values["/mixer/crossfader"] == 1.0


def test_clicks_that_come_before_the_echo_add_up() -> None:
    desk = Desk('source = "cc 1/16"\npath = "/mixer/crossfader"\nmode = "relative"\nstep = 0.05', echoes=False)
    for _ in range(4):
        moves = desk.send(0xB0, 16, 1, after=0.001)
    assert moves[0][1] == 0.4


def test_choices_step_and_sweep() -> None:
    desk = Desk(
        'source = "note 1/1"\npath = "/deck/1/assign"', 'source = "cc 1/1"\npath = "/deck/2/assign"\ntakeover = "jump"'
    )
    assert [desk.send(0x90, 1, 1)[0][1] for _ in range(3)] == ["thru", "right", "left"]
    assert [desk.send(0xB0, 1, value) for value in (0, 1, 64)] == [
        [("/deck/2/assign", "left")], [], [("/deck/2/assign", "thru")],
    ]  # fmt: skip


def test_an_alias_moves_the_deck_that_has_the_focus() -> None:
    desk = Desk('source = "cc 1/7"\npath = "/stem/1/volume"\ncurve = "linear"')
    assert desk.send(0xB0, 7, 127) == [("/deck/1/stem/vocals/volume", 1.0)]
    desk.values["/deck/3/stem/vocals/volume"] = 0.25
    desk.focus = "3"
    desk.now += 1
    desk.device.show_all("3", desk.now)
    assert desk.send(0xB0, 7, 120) == [], "the other deck's fader stands elsewhere"
    assert desk.send(0xB0, 7, 32) == [("/deck/3/stem/vocals/volume", 0.25)]


def test_14_bits_pitch_bend_and_pressure() -> None:
    desk = Desk(
        'source = "cc14 1/5"\npath = "/mixer/master"\ntakeover = "jump"\ncurve = "linear"',
        'source = "pitchbend 2"\npath = "/mixer/crossfader"\ntakeover = "jump"',
        'source = "pressure 1"\npath = "/deck/1/volume"\ntakeover = "jump"\ncurve = "linear"',
    )
    desk.send(0xB0, 5, 64)
    (moved,) = desk.send(0xB0, 37, 64)
    assert moved[0] == "/mixer/master"
    assert 0.5 < float(moved[1]) < 0.505
    assert desk.send(0xE1, 0, 64) == [("/mixer/crossfader", 0.0)]
    assert desk.send(0xE1, 127, 127) == [("/mixer/crossfader", 1.0)]
    assert desk.send(0xD0, 127) == [("/deck/1/volume", 1.0)]


def test_messages_nobody_mapped_move_nothing() -> None:
    desk = Desk(FADER)
    for data in ((0xB1, 21, 127), (0x90, 21, 127), (0xC0, 21), (0xE0, 0, 0), (0xF0, 1, 0xF7), (0xF1, 3)):
        assert desk.send(*data) == []


# -- feedback ---------------------------------------------------------------------------------------------------------


def test_lights_and_rings_show_what_others_did() -> None:
    desk = Desk(f'source = "note 10/36"\npath = "{MUTE}"', FADER)
    desk.set(MUTE, 1)
    desk.set("/deck/1/volume", 0.5)
    assert desk.shown() == [(0x99, 36, 127), (0xB0, 21, 64)]
    desk.set(MUTE, 0)
    assert desk.shown() == [(0x99, 36, 0)]


def test_what_is_shown_is_not_sent_again() -> None:
    desk = Desk(FADER)
    for value in (0.5, 0.5, 0.501):
        desk.set("/deck/1/volume", value)
    assert desk.shown() == [(0xB0, 21, 64)]
    desk.set("/deck/1/volume", 0.5)
    assert desk.shown() == []


def test_a_fader_is_not_told_where_the_hand_put_it() -> None:
    desk = Desk(FADER)
    assert desk.send(0xB0, 21, 127)
    assert desk.send(0xB0, 21, 100)
    assert desk.shown() == []


def test_a_button_that_went_dark_by_itself_is_lit_again() -> None:
    desk = Desk(f'source = "note 1/36"\npath = "{MUTE}"')
    desk.send(0x90, 36, 127)
    assert desk.shown() == [(0x90, 36, 127)]
    desk.send(0x80, 36, 0)
    assert desk.shown() == [(0x90, 36, 127)]


def test_feedback_is_paced_and_the_newest_wins() -> None:
    rows = [
        f'source = "cc {channel}/{number}"\npath = "/mixer/master"' for channel in range(1, 4) for number in range(100)
    ]
    desk = Desk(*rows)
    desk.set("/mixer/master", 0.25)
    first = desk.device.feedback.due(desk.now)
    assert len(first) == 100
    assert desk.device.feedback.due(desk.now) == []
    desk.set("/mixer/master", 0.0)
    rest: list[bytes] = []
    while desk.device.feedback.waiting:
        desk.now += 0.01
        batch = desk.device.feedback.due(desk.now)
        assert len(batch) <= 20 + 1
        rest += batch
    assert len(rest) == 300
    assert {message[2] for message in rest} == {0}


def test_14_bit_feedback_sends_both_halves() -> None:
    desk = Desk('source = "cc14 1/5"\npath = "/mixer/crossfader"', 'source = "pitchbend 2"\npath = "/mixer/crossfader"')
    desk.set("/mixer/crossfader", 1.0)
    assert desk.shown() == [(0xB0, 5, 127), (0xB0, 37, 127), (0xE1, 127, 127)]


def test_a_mapping_may_keep_its_device_dark() -> None:
    desk = Desk(FADER + "\nfeedback = false")
    desk.set("/deck/1/volume", 0.5)
    assert desk.shown() == []


def test_a_pad_is_hit_as_hard_as_its_note_and_let_go_with_it() -> None:
    desk = Desk('source = "note 10/36"\npath = "/pad/1"')
    hits = [127, 20, 90, 1]
    for velocity in hits:
        ((path, value),) = desk.send(0x99, 36, velocity, after=0.01)
        assert path == "/pad/1" and abs(float(value) - velocity / 127) < 0.01
        assert desk.send(0x89, 36, 0, after=0.01) == [("/pad/1", 0.0)]
