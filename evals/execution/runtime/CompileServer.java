import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.StringWriter;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * Compiles programs one after another, each for itself: texts come on standard input, class files go to standard output.
 *
 * A request is a file name and a text, an answer one block; each has its length in four bytes before it. A block is 1
 * and then names and contents of class files, or 0 and then what javac says of the program's errors. There is no third
 * answer: where javac itself fails, this process ends, and whoever asked must compile in another way.
 */
public final class CompileServer {
    static final int MAX_BYTES = 1 << 20; // of a text, as in java_compiler.py
    static final int TAIL_BYTES = 1 << 14; // of javac's words, as in inside.py

    public static void main(String[] arguments) throws IOException {
        DataInputStream requests = new DataInputStream(System.in);
        DataOutputStream answers = new DataOutputStream(new FileOutputStream(FileDescriptor.out));
        PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream());
        System.setOut(nowhere); // what javac prints must not come between the answers
        System.setErr(nowhere);
        while (true) { // until the input ends, which is an exception like any other
            String name = new String(block(requests), StandardCharsets.UTF_8);
            String text = new String(block(requests), StandardCharsets.UTF_8);
            byte[] answer = compile(arguments[0], name, text);
            answers.writeInt(answer.length);
            answers.write(answer);
        }
    }

    private static byte[] block(DataInputStream requests) throws IOException {
        int length = requests.readInt();
        if (length < 0 || length > MAX_BYTES) {
            throw new IOException("a block of " + length + " bytes");
        }
        byte[] content = new byte[length];
        requests.readFully(content);
        return content;
    }

    private static byte[] compile(String classPath, String name, String text) throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StringWriter words = new StringWriter();
        // Names are kept in a table of each compilation's own, not in one that the next would find filled.
        List<String> options = List.of("-proc:none", "-nowarn", "-XDuseUnsharedTable", "-cp", classPath);
        try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, StandardCharsets.UTF_8)) {
            Output output = new Output(files);
            List<Source> sources = List.of(new Source(name, text));
            if (compiler.getTask(words, output, null, options, null, sources).call()) {
                return output.block();
            }
        }
        // The count of errors comes last; without it javac failed, not the program.
        if (words.toString().lines().noneMatch(line -> line.matches("\\d+ errors?"))) {
            throw new IllegalStateException("javac failed");
        }
        byte[] said = words.toString().getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream block = new ByteArrayOutputStream();
        block.write(0);
        block.write(Arrays.copyOfRange(said, Math.max(said.length - TAIL_BYTES, 0), said.length));
        return block.toByteArray();
    }

    private static URI uri(String path) {
        try {
            return new URI("memory", null, "/" + path, null);
        } catch (URISyntaxException error) {
            throw new IllegalArgumentException(error);
        }
    }

    /** A program's text. */
    private static final class Source extends SimpleJavaFileObject {
        private final String name;
        private final String text;

        Source(String name, String text) {
            super(uri(name), Kind.SOURCE);
            this.name = name;
            this.text = text;
        }

        @Override
        public String getName() {
            return name; // in messages, as if it were a file here
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return text;
        }
    }

    /** Keeps the class files of one compilation in memory. */
    private static final class Output extends ForwardingJavaFileManager<JavaFileManager> {
        private final Map<String, ByteArrayOutputStream> classes = new TreeMap<>();

        Output(JavaFileManager files) {
            super(files);
        }

        @Override
        public boolean isSameFile(FileObject one, FileObject other) {
            return one == other;
        }

        @Override
        public JavaFileObject getJavaFileForOutput(
                Location location, String name, JavaFileObject.Kind kind, FileObject sibling) {
            String path = name.replace('.', '/') + kind.extension;
            return new SimpleJavaFileObject(uri(path), kind) {
                @Override
                public OutputStream openOutputStream() {
                    ByteArrayOutputStream content = new ByteArrayOutputStream();
                    classes.put(path, content);
                    return content;
                }
            };
        }

        byte[] block() throws IOException {
            ByteArrayOutputStream content = new ByteArrayOutputStream();
            DataOutputStream block = new DataOutputStream(content);
            block.write(1);
            for (Map.Entry<String, ByteArrayOutputStream> file : classes.entrySet()) {
                byte[] path = file.getKey().getBytes(StandardCharsets.UTF_8);
                block.writeInt(path.length);
                block.write(path);
                block.writeInt(file.getValue().size());
                file.getValue().writeTo(block);
            }
            return content.toByteArray();
        }
    }
}
