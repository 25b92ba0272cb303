// Section 2.4: runs inside the sandbox: observes functions. The units stand behind this, each name with a number.

type __unit struct {
	calls []func() string
	check func(*__T)
}

type __T struct{ failed bool }

func (t *__T) Errorf(format string, arguments ...any) { t.failed = true }
func (t *__T) Fatalf(format string, arguments ...any) { t.failed = true; panic(__failed{}) }

type __failed struct{}
type __tooManySteps struct{}
type __noLiteral struct{ reason string }

var __steps, __most int64
var __hits = map[int]bool{}
var __started int64

// A backstop, long since it depends on how loaded the machine is.
const __unitNanoseconds = 20e9

func __step(number int) {
	if !__hits[number] {
		__hits[number] = true
	}
	__steps++
	if __steps > __most {
		panic(__tooManySteps{})
	}
}

func __reset(most int64) {
	__steps, __most, __hits = 0, most, map[int]bool{}
}

var __suffix = regexp.MustCompile(`_u\d+\b`)

func __typeName(kind reflect.Type) string {
	return strings.NewReplacer("main.", "", "[]uint8", "[]byte").Replace(__suffix.ReplaceAllString(kind.String(), ""))
}

func __show(values ...any) string {
	texts := []string{}
	for _, value := range values {
		if value == nil {
			texts = append(texts, "nil")
		} else if err, ok := value.(error); ok {
			if reflect.ValueOf(value).Kind() == reflect.Pointer && reflect.ValueOf(value).IsNil() {
				panic(__noLiteral{"nil pointer as error"})
			}
			texts = append(texts, "errors.New("+strconv.Quote(err.Error())+")")
		} else {
			texts = append(texts, __literal(reflect.ValueOf(value), true, 0))
		}
	}
	return strings.Join(texts, ", ")
}

func __named(value reflect.Value, text string, typed bool) string {
	name := __typeName(value.Type())
	if strings.Contains(value.Type().String(), "main.") || typed && !__untyped[name] {
		return name + "(" + text + ")"
	}
	return text
}

var __untyped = map[string]bool{"int": true, "string": true, "bool": true, "float64": true}

// inAny says whether the value stands where any type may stand, so that its own has to be seen.
func __literal(value reflect.Value, top bool, depth int) string {
	return __inner(value, top, false, depth)
}

func __inner(value reflect.Value, top bool, inAny bool, depth int) string {
	if depth > 8 {
		panic(__noLiteral{"nested too deeply"})
	}
	switch value.Kind() {
	case reflect.Bool:
		return __named(value, strconv.FormatBool(value.Bool()), inAny)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return __named(value, strconv.FormatInt(value.Int(), 10), inAny)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return __named(value, strconv.FormatUint(value.Uint(), 10), inAny)
	case reflect.Float32, reflect.Float64:
		number := value.Float()
		text := ""
		if math.IsNaN(number) {
			text = "math.NaN()"
		} else if math.IsInf(number, 0) {
			text = "math.Inf(" + map[bool]string{true: "1", false: "-1"}[number > 0] + ")"
		} else if number == 0 && math.Signbit(number) {
			text = "math.Copysign(0, -1)"
		} else {
			text = strconv.FormatFloat(number, 'g', -1, map[bool]int{true: 32, false: 64}[value.Kind() == reflect.Float32])
			if !strings.ContainsAny(text, ".e") {
				text += ".0"
			}
		}
		return __named(value, text, inAny)
	case reflect.String:
		return __named(value, strconv.Quote(value.String()), inAny)
	case reflect.Slice:
		name := __typeName(value.Type())
		if value.IsNil() {
			return name + "(nil)"
		}
		if value.Type().Elem().Kind() == reflect.Uint8 && value.Len() > 0 {
			if text := string(value.Bytes()); utf8.ValidString(text) {
				return name + "(" + strconv.Quote(text) + ")"
			}
		}
		return name + "{" + __items(value, depth) + "}"
	case reflect.Array:
		return __typeName(value.Type()) + "{" + __items(value, depth) + "}"
	case reflect.Map:
		name := __typeName(value.Type())
		if value.IsNil() {
			return name + "(nil)"
		}
		pairs := []string{}
		for _, key := range value.MapKeys() {
			pairs = append(pairs, __inner(key, false, false, depth+1)+": "+__inner(value.MapIndex(key), false, false, depth+1))
		}
		sort.Strings(pairs)
		return name + "{" + strings.Join(pairs, ", ") + "}"
	case reflect.Struct:
		if !strings.HasPrefix(value.Type().String(), "main.") {
			panic(__noLiteral{value.Type().String()})
		}
		fields := []string{}
		for index := 0; index < value.NumField(); index++ {
			fields = append(fields, value.Type().Field(index).Name+": "+__inner(value.Field(index), false, false, depth+1))
		}
		return __typeName(value.Type()) + "{" + strings.Join(fields, ", ") + "}"
	case reflect.Pointer:
		if value.IsNil() {
			return "nil"
		}
		if value.Elem().Kind() == reflect.Struct {
			return "&" + __inner(value.Elem(), false, false, depth+1)
		}
	case reflect.Interface:
		if value.IsNil() {
			return "nil"
		}
		return __inner(value.Elem(), false, true, depth+1)
	}
	panic(__noLiteral{value.Kind().String()})
}

func __items(value reflect.Value, depth int) string {
	items := []string{}
	for index := 0; index < value.Len() && index < 300; index++ {
		items = append(items, __inner(value.Index(index), false, false, depth+1))
	}
	return strings.Join(items, ", ")
}

func __guarded(most int64, action func() string) (status string, value string) {
	__reset(most)
	defer func() {
		if caught := recover(); caught != nil {
			value = ""
			switch reason := caught.(type) {
			case __tooManySteps:
				status = "too_many_steps"
			case __noLiteral:
				status, value = "not_literal", reason.reason
			case __failed:
				status = "raised"
			default:
				status, value = "raised", "a panic"
				if __steps > most {
					status = "too_many_steps"
				}
			}
		}
	}()
	return "ok", action()
}

func __observe(call func() string, most int64, maxChars int) (string, string) {
	status, value := __guarded(most, call)
	if status == "ok" && len(value) > maxChars {
		return "too_long", ""
	}
	if status == "ok" && __suffix.MatchString(value) {
		return "not_literal", "shows its own type"
	}
	return status, value
}

func __say(row map[string]any) {
	text, _ := json.Marshal(row)
	os.Stdout.Write(append(text, '\n'))
}

func __runUnit(number int, unit __unit, run int, most int64, maxChars int) {
	order := []int{}
	for index := range unit.calls {
		order = append(order, index)
	}
	if run == 1 {
		slices.Reverse(order)
	}
	type seen struct {
		status, value string
		steps         int64
		hits          string
	}
	first := map[int]seen{}
	for _, index := range order {
		if unit.calls[index] == nil {
			continue
		}
		status, value := __observe(unit.calls[index], most, maxChars)
		hits := []string{}
		for hit := range __hits {
			hits = append(hits, strconv.Itoa(hit))
		}
		first[index] = seen{status, value, __steps, strings.Join(hits, ",")}
	}
	slices.Reverse(order)
	for _, index := range order {
		before, ok := first[index]
		if !ok || before.status != "ok" {
			continue
		}
		if status, value := __observe(unit.calls[index], most, maxChars); status != before.status || value != before.value {
			first[index] = seen{"impure", before.value + ", then " + status + " " + value, 0, ""}
		}
	}
	for _, index := range order {
		if result, ok := first[index]; ok {
			__say(map[string]any{"run": run, "unit": number, "call": index, "status": result.status, "value": result.value, "steps": result.steps, "hits": result.hits})
		}
	}
	if unit.check != nil {
		t := &__T{}
		verdict := "passed"
		status, _ := __guarded(most*10, func() string { unit.check(t); return "" })
		if t.failed {
			verdict = "assertion"
		} else if status != "ok" {
			verdict = status
		}
		__say(map[string]any{"run": run, "unit": number, "check": verdict})
	}
	__say(map[string]any{"run": run, "unit": number, "done": true})
}

func __observeAll(units []__unit, most int64, maxChars int) {
	run := 0
	if os.Getenv("LING_AGAIN") != "" {
		run = 1
	}
	atomic.StoreInt64(&__started, time.Now().UnixNano())
	go func() {
		for {
			time.Sleep(200 * time.Millisecond)
			if time.Now().UnixNano()-atomic.LoadInt64(&__started) > __unitNanoseconds {
				os.Exit(3)
			}
		}
	}()
	for step := range units {
		number := step
		if run == 1 {
			number = len(units) - 1 - step
		}
		atomic.StoreInt64(&__started, time.Now().UnixNano())
		__say(map[string]any{"run": run, "unit": number, "begin": true})
		__runUnit(number, units[number], run, most, maxChars)
	}
	if run == 0 {
		atomic.StoreInt64(&__started, math.MaxInt64/2)
		environment := append(os.Environ(), "LING_AGAIN=1", "TZ=Asia/Kathmandu", "LANG=tr_TR.UTF-8", "HOME=/elsewhere")
		again, err := os.StartProcess("main.test", os.Args, &os.ProcAttr{Env: environment, Files: []*os.File{nil, os.Stdout, os.Stderr}})
		if err == nil {
			again.Wait()
		}
	}
	os.Exit(0)
}
