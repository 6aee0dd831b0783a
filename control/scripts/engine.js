// The objects that mapping scripts expect: engine, midi, script. Written for this program from their documented
// behaviour. Nothing here reaches the system: values are mirrored in, and what a script asks for is left in an outbox
// that the host empties after each turn.
//
// Owner: the script process. Units: milliseconds; control values and 0..1 parameters in the scripts' own scales.
(function (global) {
    "use strict";

    const SHORTEST_TIMER_MS = 20;
    const NEAR = 3 / 128;
    const STRIKES = 3;

    const values = new Map();
    const scales = new Map();
    const told = new Map();
    const connections = new Map();
    const lacking = new Set();
    const takeovers = new Map();
    const timers = new Map();
    const scratching = new Map();
    const strikes = new Map();
    const handlers = new Map();
    let bindings = new Map();
    let outbox = [];
    let echoes = [];
    let now = 0;
    let serial = 0;
    let running = "";

    const nameOf = (group, key) => String(group) + "," + String(key);
    const post = (...what) => outbox.push(what);

    // -- guarded calls --------------------------------------------------------------------------------------------

    function guarded(name, act) {
        if ((strikes.get(name) || 0) >= STRIKES) {
            return undefined;
        }
        const before = running;
        running = name;
        try {
            return act();
        } catch (error) {
            const where = error && error.stack ? " (" + String(error.stack).trim().split("\n")[0].trim() + ")" : "";
            let after = "";
            if (error && error.name === "InternalError") {
                strikes.set(name, (strikes.get(name) || 0) + 1);
                after = strikes.get(name) >= STRIKES ? "; it is called no more" : "";
            }
            post("fault", name, String(error) + where + after);
        } finally {
            running = before;
        }
        return undefined;
    }

    function resolve(name) {
        const parts = String(name).replace(/\[["']?(\w+)["']?\]/g, ".$1").split(".");
        let owner = global;
        let found = global;
        for (const part of parts) {
            owner = found;
            found = found === undefined || found === null ? undefined : found[part];
        }
        if (found === undefined && !(parts[0] in global)) {
            try {
                // const and let at the top of a script are no properties of the global object
                found = (0, eval)(parts.join("."));
                owner = parts.length > 1 ? (0, eval)(parts.slice(0, -1).join(".")) : global;
            } catch (error) {
                found = undefined;
            }
        }
        return [owner, found];
    }

    function callNamed(name, args, isOptional) {
        const [owner, found] = resolve(name);
        if (typeof found !== "function") {
            if (!isOptional) {
                guarded(name, () => { throw new Error("is no function of the script"); });
            }
            return;
        }
        guarded(name, () => found.apply(owner, args));
    }

    // -- values ---------------------------------------------------------------------------------------------------

    function known(name) {
        if (values.has(name)) {
            return true;
        }
        if (!lacking.has(name)) {
            lacking.add(name);
            post("lacks", name);
        }
        return false;
    }

    function toParameter(name, value) {
        const scale = scales.get(name);
        if (!scale) {
            return value;
        }
        const [kind, low, high] = scale;
        const part = kind === "gain"
            ? (value <= 1 ? value / 2 : 0.5 + (value - 1) / (high - 1) / 2)
            : (value - low) / (high - low);
        return Math.min(1, Math.max(0, part));
    }

    function fromParameter(name, part) {
        const scale = scales.get(name);
        if (!scale) {
            return part;
        }
        const [kind, low, high] = scale;
        part = Math.min(1, Math.max(0, part));
        if (kind === "gain") {
            return part <= 0.5 ? part * 2 : 1 + (part - 0.5) * 2 * (high - 1);
        }
        return low + part * (high - low);
    }

    // A fader that was moved elsewhere waits until it meets its control again.
    function meets(name, value) {
        const takeover = takeovers.get(name);
        if (!takeover) {
            return true;
        }
        const place = toParameter(name, value);
        const stands = toParameter(name, values.get(name) || 0);
        const ours = takeover.set !== undefined && Math.abs(takeover.set - stands) < 1e-6;
        const passed = takeover.place !== undefined
            && (takeover.place - stands) * (place - stands) <= 0;
        const takes = !takeover.skip && (ours || passed || Math.abs(place - stands) <= NEAR);
        takeover.place = place;
        takeover.skip = false;
        takeover.set = takes ? place : undefined;
        return takes;
    }

    function put(group, key, value) {
        value = Number(value);
        if (!Number.isFinite(value)) {
            throw new TypeError("setValue(" + group + ", " + key + ") takes a number");
        }
        const name = nameOf(group, key);
        if (!meets(name, value)) {
            return;
        }
        const isKnown = known(name);
        values.set(name, value);
        if (isKnown && !lacking.has(name)) {
            post("set", name, value);
        } else {
            echoes.push(name);
        }
    }

    function tell(name, value) {
        if (told.get(name) === value) {
            return;
        }
        told.set(name, value);
        const [group, key] = split(name);
        for (const connection of [...(connections.get(name) || [])]) {
            guarded(connection.label, () => connection.callback.call(connection.owner, value, group, key));
        }
    }

    function split(name) {
        const at = name.lastIndexOf(",");
        return [name.slice(0, at), name.slice(at + 1)];
    }

    function connect(group, key, callback, owner) {
        if (typeof callback !== "function") {
            throw new TypeError("a connection to " + group + " " + key + " needs a function");
        }
        const name = nameOf(group, key);
        known(name);
        const label = "connection of " + group + " " + key;
        const connection = {
            id: ++serial,
            isConnected: true,
            label,
            callback,
            owner: owner || global,
            trigger() {
                const value = values.get(name) || 0;
                guarded(label, () => callback.call(connection.owner, value, group, key));
            },
            disconnect() {
                const list = connections.get(name) || [];
                connections.set(name, list.filter((other) => other !== connection));
                connection.isConnected = false;
                return true;
            },
        };
        connections.set(name, [...(connections.get(name) || []), connection]);
        told.set(name, values.get(name) || 0);
        post("watch", name);
        return connection;
    }

    function deckPath(deck, rest) {
        return "/deck/" + Math.round(Number(deck)) + "/" + rest;
    }

    global.engine = {
        getValue: (group, key) => (known(nameOf(group, key)) ? values.get(nameOf(group, key)) : 0),
        setValue: put,
        getParameter: (group, key) => toParameter(nameOf(group, key), global.engine.getValue(group, key)),
        setParameter: (group, key, part) => put(group, key, fromParameter(nameOf(group, key), Number(part))),
        getParameterForValue: (group, key, value) => toParameter(nameOf(group, key), Number(value)),
        reset(group, key) { put(group, key, global.engine.getDefaultValue(group, key)); },
        getDefaultValue(group, key) {
            const scale = scales.get(nameOf(group, key));
            return scale ? scale[3] : 0;
        },
        getDefaultParameter: (group, key) => toParameter(
            nameOf(group, key), global.engine.getDefaultValue(group, key)),
        makeConnection: (group, key, callback) => connect(group, key, callback),
        makeUnbufferedConnection: (group, key, callback) => connect(group, key, callback),
        connectControl(group, key, callback, disconnects) {
            const name = nameOf(group, key);
            const isNamed = typeof callback === "string";
            if (disconnects === true) {
                for (const connection of [...(connections.get(name) || [])]) {
                    if (connection.source === callback || connection.callback === callback) {
                        connection.disconnect();
                    }
                }
                return true;
            }
            const act = isNamed ? function (...args) { callNamed(callback, args); } : callback;
            const connection = connect(group, key, act);
            connection.source = callback;
            return connection;
        },
        trigger(group, key) {
            for (const connection of [...(connections.get(nameOf(group, key)) || [])]) {
                connection.trigger();
            }
        },
        beginTimer(interval, callback, once) {
            const id = ++serial;
            const every = Math.max(SHORTEST_TIMER_MS, Number(interval) || 0);
            const act = typeof callback === "string" ? () => callNamed(callback, []) : callback;
            if (typeof act !== "function") {
                throw new TypeError("beginTimer needs a function");
            }
            timers.set(id, { every, at: now + every, act, once: Boolean(once), label: "timer " + id });
            return id;
        },
        stopTimer(id) { timers.delete(id); },
        scratchEnable(deck, intervals, rpm) {
            const seconds = 60 / Number(rpm) / Number(intervals);
            scratching.set(Number(deck), { seconds: Number.isFinite(seconds) ? seconds : 0, place: 0 });
            post("path", deckPath(deck, "touch"), 1);
        },
        scratchTick(deck, ticks) {
            const hand = scratching.get(Number(deck));
            if (hand && Number.isFinite(Number(ticks))) {
                hand.place += hand.seconds * Number(ticks);
                post("path", deckPath(deck, "scratch"), hand.place);
            }
        },
        scratchDisable(deck) {
            if (scratching.delete(Number(deck))) {
                post("path", deckPath(deck, "touch"), 0);
            }
        },
        isScratching: (deck) => scratching.has(Number(deck)),
        brake(deck, on) { post("path", deckPath(deck, "brake"), on ? 1 : 0); },
        spinback(deck, on) { post("path", deckPath(deck, "spinback"), on ? 1 : 0); },
        softStart(deck, on) { if (on) { post("path", deckPath(deck, "play"), 1); } },
        isBrakeActive: () => false,
        isSpinbackActive: () => false,
        isSoftStartActive: () => false,
        softTakeover(group, key, on) {
            if (on) {
                takeovers.set(nameOf(group, key), { place: undefined, set: undefined, skip: false });
            } else {
                takeovers.delete(nameOf(group, key));
            }
        },
        softTakeoverIgnoreNextValue(group, key) {
            const takeover = takeovers.get(nameOf(group, key));
            if (takeover) {
                takeover.skip = true;
            }
        },
        getSetting: () => undefined,
        log(text) { post("says", String(text)); },
    };

    // -- MIDI -----------------------------------------------------------------------------------------------------

    const byte = (value) => Number(value) & 0xFF;

    global.midi = {
        sendShortMsg(status, first, second) {
            status = byte(status);
            const size = (status & 0xE0) === 0xC0 ? 2 : 3;
            post("midi", [status, byte(first) & 0x7F, byte(second) & 0x7F].slice(0, size));
        },
        sendSysexMsg(data, length) {
            const list = Array.from(data, byte);
            post("midi", list.slice(0, length === undefined ? list.length : Number(length)));
        },
        makeInputHandler(status, number, callback) {
            if (typeof callback !== "function") {
                throw new TypeError("makeInputHandler needs a function");
            }
            const key = byte(status) + "," + byte(number);
            const handler = { callback, label: "input handler of " + key };
            handlers.set(key, [...(handlers.get(key) || []), handler]);
            return {
                disconnect() {
                    handlers.set(key, (handlers.get(key) || []).filter((other) => other !== handler));
                },
            };
        },
    };
    global.controller = { send: global.midi.sendSysexMsg, sendSysexMsg: global.midi.sendSysexMsg };

    // -- helpers that many scripts use ----------------------------------------------------------------------------

    function alternate(group, key) { put(group, key, global.engine.getValue(group, key) ? 0 : 1); }

    global.script = {
        debug(channel, control, value, status, group) {
            post("says", ["channel", channel, "control", control, "value", value, "status", status, group].join(" "));
        },
        midiDebug(channel, control, value, status, group) {
            global.script.debug(channel, control, value, status, group);
        },
        deckFromGroup(group) {
            const match = /^\[Channel(\d+)\]$/.exec(group);
            return match ? Number(match[1]) : undefined;
        },
        samplerFromGroup(group) {
            const match = /^\[Sampler(\d+)\]$/.exec(group);
            return match ? Number(match[1]) : undefined;
        },
        toggleControl(group, key, wait) {
            alternate(group, key);
            if (wait) {
                global.engine.beginTimer(wait, () => alternate(group, key), true);
            }
        },
        triggerControl(group, key, wait) {
            put(group, key, 1);
            global.engine.beginTimer(wait || SHORTEST_TIMER_MS, () => put(group, key, 0), true);
        },
        absoluteLin(value, low, high, least, most) {
            least = least === undefined ? 0 : least;
            most = most === undefined ? 127 : most;
            return low + (Math.min(most, Math.max(least, value)) - least) / (most - least) * (high - low);
        },
        absoluteLinInverse(value, low, high, least, most) {
            return low + high - global.script.absoluteLin(value, low, high, least, most);
        },
        absoluteNonLin(value, low, mid, high, least, most) {
            least = least === undefined ? 0 : least;
            most = most === undefined ? 127 : most;
            const centre = (least + most) / 2;
            return value <= centre
                ? global.script.absoluteLin(value, low, mid, least, centre)
                : global.script.absoluteLin(value, mid, high, centre, most);
        },
        crossfaderCurve() {},
        spinback(channel, control, value, status, group) {
            global.engine.spinback(global.script.deckFromGroup(group), value > 0 && (status & 0xF0) !== 0x80);
        },
        brake(channel, control, value, status, group) {
            global.engine.brake(global.script.deckFromGroup(group), value > 0 && (status & 0xF0) !== 0x80);
        },
        posMod: (a, b) => ((a % b) + b) % b,
        isButtonDown: (channel, control, value, status) => (status & 0xF0) === 0x90 && value > 0,
    };
    global.print = (...words) => post("says", words.map(String).join(" "));
    global.console = { log: global.print, warn: global.print, error: global.print, debug: global.print };

    // -- turns ----------------------------------------------------------------------------------------------------

    function settle() {
        for (let round = 0; round < 8 && echoes.length; round++) {
            const names = echoes;
            echoes = [];
            for (const name of names) {
                tell(name, values.get(name));
            }
        }
        echoes = [];
    }

    function heard(data) {
        const status = data[0];
        if (status >= 0xF0) {
            return;
        }
        const hasNumber = (status & 0xF0) !== 0xE0 && (status & 0xF0) !== 0xD0;
        const number = data.length > 1 ? data[1] : 0;
        const value = hasNumber ? (data.length > 2 ? data[2] : 127)
            : (status & 0xF0) === 0xE0 ? (data[2] << 7 | data[1]) : number;
        for (const key of [status + "," + number, status + ",*"]) {
            for (const [name, group] of bindings.get(key) || []) {
                callNamed(name, [status & 0x0F, number, value, status, group]);
            }
        }
        for (const handler of [...(handlers.get(status + "," + number) || [])]) {
            guarded(handler.label, () => handler.callback(status & 0x0F, number, value, status, ""));
        }
    }

    const turns = {
        bind(request) {
            bindings = new Map();
            for (const [status, number, name, group] of request.calls) {
                const key = status + "," + (number === null ? "*" : number);
                bindings.set(key, [...(bindings.get(key) || []), [name, group]]);
            }
            for (const [name, scale] of Object.entries(request.scales)) {
                scales.set(name, scale);
            }
        },
        told(request) {
            for (const [name, value] of Object.entries(request.values)) {
                values.set(name, value);
                if (told.has(name)) {
                    tell(name, value);
                }
            }
        },
        heard(request) { heard(request.data); },
        sysex(request) {
            for (const prefix of request.prefixes) {
                callNamed(prefix + ".incomingData", [request.data, request.data.length], true);
            }
        },
        call(request) { callNamed(request.name, request.args, true); },
        timers() {
            for (const [id, timer] of [...timers]) {
                if (timer.at > now || !timers.has(id)) {
                    continue;
                }
                if (timer.once || (strikes.get(timer.label) || 0) >= STRIKES) {
                    timers.delete(id);
                } else {
                    timer.at += timer.every * Math.max(1, Math.floor((now - timer.at) / timer.every));
                    timer.at = Math.max(timer.at, now + 1);
                }
                guarded(timer.label, timer.act);
            }
        },
        // a turn that was cut short: what ran then has a strike, and after three it is called no more
        strike() {
            strikes.set(running, (strikes.get(running) || 0) + 1);
            if (running.startsWith("timer ") && strikes.get(running) >= STRIKES) {
                timers.delete(Number(running.slice(6)));
            }
            post("stopped", running, strikes.get(running));
            running = "";
        },
    };

    global.__turn = function (text) {
        const request = JSON.parse(text);
        now = request.now;
        turns[request.turn](request);
        settle();
        const found = outbox;
        outbox = [];
        let due = null;
        for (const timer of timers.values()) {
            due = due === null ? timer.at : Math.min(due, timer.at);
        }
        return JSON.stringify([found, due]);
    };
})(globalThis);
