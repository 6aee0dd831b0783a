// Building blocks for mapping scripts, in the shape that scripts expect of `components`: Component, Button and its
// kinds, Pot, Encoder, ComponentContainer, Deck. Written for this program; a script that brings a fuller library of its
// own has that instead.
//
// Owner: the script process. Units: MIDI values 0..127, parameters 0..1.
(function (global) {
    "use strict";

    const isPress = (status, value) => (status & 0xF0) !== 0x80 && value > 0;

    function extend(base, methods) {
        base.prototype = Object.assign(Object.create(base.parent ? base.parent.prototype : Object.prototype), methods);
        base.prototype.constructor = base;
        return base;
    }

    function derive(parent, methods) {
        function Derived(options) { parent.call(this, options); }
        Derived.parent = parent;
        return extend(Derived, methods);
    }

    function Component(options) {
        if (Array.isArray(options) && options.every(Number.isFinite)) {
            this.midi = options;
        } else if (options !== undefined) {
            Object.assign(this, options);
        }
        if (typeof this.unshift === "function") {
            this.unshift();
        }
        if (this.midi && this.group !== undefined && (this.outKey !== undefined || this.inKey !== undefined)
            && this.outConnect) {
            this.connect();
            if (this.outTrigger) {
                this.trigger();
            }
        }
    }
    extend(Component, {
        max: 127,
        on: 127,
        off: 0,
        outConnect: true,
        outTrigger: true,
        isShifted: false,
        loadDelay: 0,
        inValueScale(value) { return value / this.max; },
        input(channel, control, value) { this.inSetParameter(this.inValueScale(value)); },
        outValueScale(value) { return value * this.max; },
        output(value) { this.send(this.outValueScale(value)); },
        inGetParameter() { return engine.getParameter(this.group, this.inKey); },
        inSetParameter(value) { engine.setParameter(this.group, this.inKey, value); },
        inGetValue() { return engine.getValue(this.group, this.inKey); },
        inSetValue(value) { engine.setValue(this.group, this.inKey, value); },
        inToggle() { this.inSetValue(this.inGetValue() ? 0 : 1); },
        outGetParameter() { return engine.getParameter(this.group, this.outKey); },
        outGetValue() { return engine.getValue(this.group, this.outKey); },
        outSetValue(value) { engine.setValue(this.group, this.outKey, value); },
        outToggle() { this.outSetValue(this.outGetValue() ? 0 : 1); },
        connect() {
            if (this.group !== undefined && this.outKey !== undefined) {
                this.connections = [
                    engine.makeConnection(this.group, this.outKey, (value, group, key) =>
                        this.output(value, group, key)),
                ];
            }
        },
        disconnect() {
            for (const connection of this.connections || []) {
                connection.disconnect();
            }
            this.connections = undefined;
        },
        trigger() {
            for (const connection of this.connections || []) {
                connection.trigger();
            }
        },
        send(value) {
            if (this.midi === undefined || this.midi[0] === undefined || this.midi[1] === undefined) {
                return;
            }
            midi.sendShortMsg(this.midi[0], this.midi[1], value);
            if (this.sendShifted && this.shiftChannel) {
                midi.sendShortMsg(this.midi[0] + (this.shiftOffset || 0), this.midi[1], value);
            }
        },
    });

    function Button(options) { Component.call(this, options); }
    Button.parent = Component;
    extend(Button, {
        type: 0,
        types: { push: 0, toggle: 1, powerWindow: 2 },
        longPressTimeout: 275,
        isLongPressed: false,
        longPressTimer: 0,
        isPress(channel, control, value, status) { return isPress(status, value); },
        input(channel, control, value, status, group) {
            const isDown = this.isPress(channel, control, value, status);
            if (this.type === 0) {
                this.inSetValue(isDown ? 1 : 0);
            } else if (this.type === 1) {
                if (isDown) {
                    this.inToggle();
                }
            } else if (isDown) {
                this.inToggle();
                this.isLongPressed = false;
                this.longPressTimer = engine.beginTimer(this.longPressTimeout, () => {
                    this.isLongPressed = true;
                    this.longPressTimer = 0;
                }, true);
            } else {
                if (this.isLongPressed) {
                    this.inToggle();
                }
                if (this.longPressTimer) {
                    engine.stopTimer(this.longPressTimer);
                    this.longPressTimer = 0;
                }
                this.isLongPressed = false;
            }
        },
        outValueScale(value) { return value > 0 ? this.on : this.off; },
    });
    Button.prototype.types = Object.freeze(Button.prototype.types);

    const keyed = (inKey, type, outKey) => function Keyed(options) {
        this.inKey = inKey;
        this.outKey = outKey || inKey;
        this.type = type;
        Button.call(this, options);
    };
    function keyedButton(inKey, type, outKey) {
        const made = keyed(inKey, type, outKey);
        made.parent = Button;
        return extend(made, {});
    }

    const PlayButton = keyedButton("play", 1, "play_indicator");
    PlayButton.prototype.unshift = function () { this.inKey = "play"; this.type = 1; };
    PlayButton.prototype.shift = function () { this.inKey = "stop"; this.type = 0; };
    const CueButton = keyedButton("cue_default", 0, "cue_indicator");
    CueButton.prototype.unshift = function () { this.inKey = "cue_default"; };
    CueButton.prototype.shift = function () { this.inKey = "start_stop"; };
    const SyncButton = keyedButton("sync_enabled", 1);
    SyncButton.prototype.unshift = function () { this.inKey = "sync_enabled"; this.type = 1; };
    SyncButton.prototype.shift = function () { this.inKey = "quantize"; };
    const LoopToggleButton = keyedButton("reloop_toggle", 0, "loop_enabled");

    function numbered(make) {
        function Made(options) {
            if (options && options.number !== undefined) {
                this.number = options.number;
            }
            make.call(this, options || {});
            Button.call(this, options);
        }
        Made.parent = Button;
        return extend(Made, {});
    }
    const HotcueButton = numbered(function () {
        this.outKey = "hotcue_" + this.number + "_enabled";
        this.unshift = function () { this.inKey = "hotcue_" + this.number + "_activate"; };
        this.shift = function () { this.inKey = "hotcue_" + this.number + "_clear"; };
    });
    const SamplerButton = numbered(function () {
        this.group = "[Sampler" + this.number + "]";
        this.outKey = "play";
        this.inKey = "cue_gotoandplay";
    });

    function Pot(options) { Component.call(this, options); }
    Pot.parent = Component;
    extend(Pot, {
        outConnect: false,
        relative: false,
        input(channel, control, value) {
            if (this.MSB !== undefined) {
                value = (this.MSB << 7) + value;
            }
            this.inSetParameter(this.inValueScale(value));
            if (!this.isReady && !this.relative) {
                this.isReady = true;
                engine.softTakeover(this.group, this.inKey, true);
            }
        },
        inputMSB(channel, control, value) { this.MSB = value; this.max = 16383; },
        inputLSB(channel, control, value, status, group) { this.input(channel, control, value, status, group); },
        connect() {
            if (!this.relative && this.group !== undefined && this.inKey !== undefined) {
                engine.softTakeover(this.group, this.inKey, true);
            }
            Component.prototype.connect.call(this);
        },
        disconnect() {
            engine.softTakeoverIgnoreNextValue(this.group, this.inKey);
            Component.prototype.disconnect.call(this);
        },
    });

    function Encoder(options) { Component.call(this, options); }
    Encoder.parent = Component;
    extend(Encoder, {
        input(channel, control, value) {
            this.inSetParameter(this.inGetParameter() + this.inValueScale(value));
        },
        inValueScale(value) { return (value < 64 ? value : value - 128) / 100; },
    });

    function ComponentContainer(initial) {
        Object.assign(this, typeof initial === "object" ? initial : {});
    }
    extend(ComponentContainer, {
        forEachComponent(act, isDeep) {
            for (const member of Object.values(this)) {
                for (const one of Array.isArray(member) ? member : [member]) {
                    if (one instanceof Component) {
                        act.call(this, one);
                    } else if (one instanceof ComponentContainer && isDeep !== false) {
                        one.forEachComponent(act, true);
                    }
                }
            }
        },
        forEachComponentContainer(act, isDeep) {
            for (const member of Object.values(this)) {
                for (const one of Array.isArray(member) ? member : [member]) {
                    if (one instanceof ComponentContainer) {
                        act.call(this, one);
                        if (isDeep !== false) {
                            one.forEachComponentContainer(act, true);
                        }
                    }
                }
            }
        },
        reconnectComponents(act, isDeep) {
            this.forEachComponent((component) => {
                component.disconnect();
                if (typeof act === "function") {
                    act.call(this, component);
                }
                component.connect();
                component.trigger();
            }, isDeep);
        },
        applyOperation(name, shifts) {
            this.forEachComponent((component) => {
                if (typeof component[name] === "function") {
                    component[name]();
                }
                component.isShifted = shifts;
            }, true);
            this.isShifted = shifts;
            this.forEachComponentContainer((container) => {
                if (typeof container[name] === "function" && container[name] !== ComponentContainer.prototype[name]) {
                    container[name]();
                }
                container.isShifted = shifts;
            }, true);
        },
        shift() { this.applyOperation("shift", true); },
        unshift() { this.applyOperation("unshift", false); },
        shutdown() { this.forEachComponent((component) => component.disconnect(), true); },
    });

    function Deck(numbers) {
        ComponentContainer.call(this);
        this.deckNumbers = Array.isArray(numbers) ? numbers : [numbers];
        this.currentDeck = "[Channel" + this.deckNumbers[0] + "]";
    }
    Deck.parent = ComponentContainer;
    extend(Deck, {
        setCurrentDeck(group) {
            this.currentDeck = group;
            this.reconnectComponents((component) => {
                if (component.group === undefined || /^\[Channel\d+\]$/.test(component.group)) {
                    component.group = group;
                }
            });
        },
        toggle() {
            const at = this.deckNumbers.indexOf(script.deckFromGroup(this.currentDeck));
            this.setCurrentDeck("[Channel" + this.deckNumbers[(at + 1) % this.deckNumbers.length] + "]");
        },
    });

    global.components = {
        Component, Button, PlayButton, CueButton, SyncButton, LoopToggleButton, HotcueButton, SamplerButton, Pot,
        Encoder, ComponentContainer, Deck, derive,
    };
})(globalThis);
