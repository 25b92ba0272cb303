    // Section 2.4: runs inside the sandbox: observes methods. The units stand before this as nested classes.
    static final class TooManySteps extends Error {
        TooManySteps() { super(null, null, false, false); }
    }

    static final int UNIT_SECONDS = 20; // a backstop, long since it depends on how loaded the machine is
    static long steps, most;
    static final BitSet hits = new BitSet();
    static volatile long unitStart = System.nanoTime();

    static void __step(int number) {
        hits.set(number);
        if (++steps > most) throw new TooManySteps();
    }

    static void reset(long bound) { steps = 0; most = bound; hits.clear(); }

    static final class NoLiteral extends RuntimeException {
        NoLiteral(String reason) { super(reason); }
    }

    static String literal(Object value, int depth) {
        if (depth > 8) throw new NoLiteral("nested too deeply");
        if (value == null) return "null";
        if (value instanceof Integer || value instanceof Boolean) return value.toString();
        if (value instanceof Long) return value + "L";
        if (value instanceof Short) return "(short) " + value;
        if (value instanceof Byte) return "(byte) " + value;
        if (value instanceof Double) {
            double number = (Double) value;
            if (Double.isNaN(number)) return "Double.NaN";
            if (Double.isInfinite(number)) return number > 0 ? "Double.POSITIVE_INFINITY" : "Double.NEGATIVE_INFINITY";
            return value.toString();
        }
        if (value instanceof Float) {
            float number = (Float) value;
            if (Float.isNaN(number)) return "Float.NaN";
            if (Float.isInfinite(number)) return number > 0 ? "Float.POSITIVE_INFINITY" : "Float.NEGATIVE_INFINITY";
            return value + "f";
        }
        if (value instanceof Character) return quoted(value.toString(), '\'');
        if (value instanceof String) return quoted((String) value, '"');
        if (value instanceof Enum) {
            Class<?> type = ((Enum<?>) value).getDeclaringClass();
            String name = type.getSimpleName();
            Class<?> around = type.getEnclosingClass();
            if (around != null && !around.getSimpleName().matches("U\\d+")) name = around.getSimpleName() + "." + name;
            return name + "." + ((Enum<?>) value).name();
        }
        if (value instanceof java.math.BigInteger) return "new BigInteger(\"" + value + "\")";
        if (value instanceof Optional) {
            Optional<?> optional = (Optional<?>) value;
            return optional.isPresent() ? "Optional.of(" + literal(optional.get(), depth + 1) + ")" : "Optional.empty()";
        }
        if (value.getClass().isArray()) return array(value, depth);
        if (value instanceof List) {
            List<?> list = (List<?>) value;
            String inside = list.stream().map(item -> literal(item, depth + 1)).collect(Collectors.joining(", "));
            return (list.stream().anyMatch(Objects::isNull) ? "Arrays.asList(" : "List.of(") + inside + ")";
        }
        if (value instanceof Set) {
            List<String> items = ((Set<?>) value).stream().map(item -> literal(item, depth + 1)).sorted().collect(Collectors.toList());
            if (items.contains("null")) throw new NoLiteral("null in a set");
            return "Set.of(" + String.join(", ", items) + ")";
        }
        if (value instanceof Map) {
            List<String> pairs = new ArrayList<>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                if (entry.getKey() == null || entry.getValue() == null) throw new NoLiteral("null in a map");
                pairs.add(literal(entry.getKey(), depth + 1) + ", " + literal(entry.getValue(), depth + 1));
            }
            if (pairs.size() > 10) throw new NoLiteral("more pairs than Map.of takes");
            Collections.sort(pairs);
            return "Map.of(" + String.join(", ", pairs) + ")";
        }
        throw new NoLiteral(value.getClass().getSimpleName());
    }

    static String array(Object value, int depth) {
        Class<?> type = value.getClass().getComponentType();
        String dimensions = "[]";
        while (type.isArray()) { dimensions += "[]"; type = type.getComponentType(); }
        if (!type.isPrimitive() && !type.getName().startsWith("java.lang.")) throw new NoLiteral("array of " + type.getSimpleName());
        return "new " + type.getSimpleName() + dimensions + " " + inside(value, depth);
    }

    static String inside(Object value, int depth) {
        StringBuilder text = new StringBuilder("{");
        for (int index = 0; index < java.lang.reflect.Array.getLength(value); index++) {
            Object item = java.lang.reflect.Array.get(value, index);
            if (index > 0) text.append(", ");
            if (item == null) text.append("null");
            else if (item.getClass().isArray()) text.append(inside(item, depth + 1));
            else if (item instanceof Byte || item instanceof Short) text.append(item);
            else text.append(literal(item, depth + 1));
        }
        return text.append("}").toString();
    }

    static String quoted(String value, char mark) {
        StringBuilder text = new StringBuilder().append(mark);
        for (int index = 0; index < value.length(); index++) {
            char part = value.charAt(index);
            if (part == mark || part == '\\') text.append('\\').append(part);
            else if (part == '\n') text.append("\\n");
            else if (part == '\t') text.append("\\t");
            else if (part == '\r') text.append("\\r");
            else if (part < 32) text.append(String.format("\\%03o", (int) part));
            else if (part > 126) text.append(Character.isLetterOrDigit(part) && !Character.isSurrogate(part) ? String.valueOf(part) : String.format("\\u%04x", (int) part));
            else text.append(part);
        }
        return text.append(mark).toString();
    }

    static String json(String text) {
        StringBuilder line = new StringBuilder("\"");
        for (int index = 0; index < text.length(); index++) {
            char part = text.charAt(index);
            if (part == '"' || part == '\\') line.append('\\').append(part);
            else if (part < 32 || part > 126) line.append(String.format("\\u%04x", (int) part));
            else line.append(part);
        }
        return line.append('"').toString();
    }

    static String[] observe(java.lang.reflect.Method call, int number, long maxSteps, int maxChars) {
        reset(maxSteps);
        Object value;
        try {
            value = call.invoke(null, number);
        } catch (java.lang.reflect.InvocationTargetException error) {
            Throwable cause = error.getCause();
            if (cause instanceof TooManySteps || steps > maxSteps) return new String[] {"too_many_steps", ""};
            return new String[] {"raised", cause.getClass().getSimpleName()};
        } catch (Throwable error) {
            return new String[] {"raised", error.getClass().getSimpleName()};
        }
        try {
            String text = literal(value, 0);
            return text.length() > maxChars ? new String[] {"too_long", ""} : new String[] {"ok", text};
        } catch (NoLiteral reason) {
            return new String[] {"not_literal", reason.getMessage()};
        } catch (Throwable error) {
            return new String[] {"not_literal", error.getClass().getSimpleName()};
        }
    }

    static void runUnit(int unit, int numCalls, boolean hasCheck, int run, long maxSteps, int maxChars) throws Throwable {
        String start = "{\"run\": " + run + ", \"unit\": " + unit + ", ";
        StringBuilder said = new StringBuilder();
        try {
            Class<?> type = Class.forName("Main$U" + unit);
            java.lang.reflect.Method call = type.getDeclaredMethod("call", int.class);
            call.setAccessible(true);
            Map<Integer, String[]> first = new LinkedHashMap<>();
            Map<Integer, String> marks = new HashMap<>();
            List<Integer> order = new ArrayList<>();
            for (int number = 0; number < numCalls; number++) order.add(number);
            if (run == 1) Collections.reverse(order);
            for (int number : order) {
                first.put(number, observe(call, number, maxSteps, maxChars));
                marks.put(number, steps + ", \"hits\": \"" + hits.stream().limit(80).mapToObj(String::valueOf).collect(Collectors.joining(",")) + "\"");
            }
            Collections.reverse(order);
            for (int number : order) {
                String[] seen = first.get(number);
                if (!seen[0].equals("ok")) continue;
                String[] again = observe(call, number, maxSteps, maxChars);
                if (!Arrays.equals(seen, again)) first.put(number, new String[] {"impure", seen[1] + ", then " + again[0] + " " + again[1]});
            }
            for (int number : first.keySet()) {
                String[] seen = first.get(number);
                if (seen[0].equals("none")) continue;
                said.append(start + "\"call\": " + number + ", \"status\": \"" + seen[0] + "\", \"value\": " + json(seen[1]) + ", \"steps\": " + marks.get(number) + "}\n");
            }
            if (hasCheck) {
                String verdict = "passed";
                reset(maxSteps * 10);
                try {
                    java.lang.reflect.Method check = type.getDeclaredMethod("check");
                    check.setAccessible(true);
                    check.invoke(null);
                } catch (java.lang.reflect.InvocationTargetException error) {
                    Throwable cause = error.getCause();
                    verdict = cause instanceof TooManySteps ? "too_many_steps" : cause instanceof AssertionError ? "assertion" : "raised";
                }
                said.append(start + "\"check\": \"" + verdict + "\"}\n");
            }
        } catch (Throwable error) {
            said.append(start + "\"broken\": " + json(error.toString()) + "}\n");
        }
        out.print(said + start + "\"done\": true}\n");
        out.flush();
    }

    static java.io.PrintStream out;

    static void observeAll(int[] numCalls, boolean[] hasCheck, long maxSteps, int maxChars, String[] arguments) throws Throwable {
        int run = arguments.length;
        out = System.out;
        Thread watch = new Thread(() -> {
            while (true) {
                try { Thread.sleep(200); } catch (InterruptedException ignored) { }
                if (System.nanoTime() - unitStart > UNIT_SECONDS * 1_000_000_000L) Runtime.getRuntime().halt(3);
            }
        });
        watch.setDaemon(true);
        watch.start();
        System.setOut(new java.io.PrintStream(java.io.OutputStream.nullOutputStream()));
        Thread worker = new Thread(null, () -> {
            for (int step = 0; step < numCalls.length; step++) {
                int unit = run == 0 ? step : numCalls.length - 1 - step;
                unitStart = System.nanoTime();
                out.print("{\"run\": " + run + ", \"unit\": " + unit + ", \"begin\": true}\n");
                out.flush();
                try { runUnit(unit, numCalls[unit], hasCheck[unit], run, maxSteps, maxChars); } catch (Throwable error) { }
            }
        }, "worker", 64L << 20);
        worker.start();
        worker.join();
        if (run == 0) {
            unitStart = Long.MAX_VALUE;
            List<String> words = new ArrayList<>(List.of(System.getProperty("java.home") + "/bin/java", "-ea",
                "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx256m", "-Duser.language=tr", "-Duser.country=TR",
                "-Duser.timezone=Asia/Kathmandu", "-Duser.home=/elsewhere", "-cp", System.getProperty("java.class.path"), "Main", "again"));
            Process again = new ProcessBuilder(words).inheritIO().start();
            again.waitFor();
        }
        Runtime.getRuntime().halt(0);
    }
}
