// Copyright (c) 2026, aemops.brand_portal contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetAddress;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.apache.http.HttpHost;
import org.apache.http.client.config.RequestConfig;
import org.apache.http.client.methods.CloseableHttpResponse;
import org.apache.http.client.methods.HttpPost;
import org.apache.http.config.Registry;
import org.apache.http.config.RegistryBuilder;
import org.apache.http.conn.DnsResolver;
import org.apache.http.conn.socket.ConnectionSocketFactory;
import org.apache.http.conn.socket.PlainConnectionSocketFactory;
import org.apache.http.conn.ssl.SSLConnectionSocketFactory;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.DefaultHttpRequestRetryHandler;
import org.apache.http.impl.client.HttpClients;
import org.apache.http.impl.conn.BasicHttpClientConnectionManager;
import org.apache.http.impl.conn.SystemDefaultDnsResolver;

/**
 * Sends a POST with Apache HttpClient 4.5, which AEM uses, for each line of the standard input:
 * "situation TAB host TAB address or - TAB connect timeout (ms) TAB trust manager factory TAB proxy address or -".
 * Prints one line of JSON for each: the status, or the exception with its causes.
 */
public final class JavaWords {

    public static void main(String[] arguments) throws Exception {
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        try (FileInputStream file = new FileInputStream(arguments[0])) {
            trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split("\t");
            out.println("{\"situation\": " + quoted(fields[0]) + ", " + tried(fields, trusted) + "}");
        }
    }

    private static String tried(final String[] fields, KeyStore trusted) throws Exception {
        TrustManagerFactory factory = TrustManagerFactory.getInstance(fields[4]);
        factory.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, factory.getTrustManagers(), null);
        Registry<ConnectionSocketFactory> sockets = RegistryBuilder.<ConnectionSocketFactory>create()
            .register("http", PlainConnectionSocketFactory.getSocketFactory())
            .register("https", new SSLConnectionSocketFactory(context))
            .build();
        DnsResolver resolver = new SystemDefaultDnsResolver() {
            @Override
            public InetAddress[] resolve(String host) throws java.net.UnknownHostException {
                if (fields[2].equals("-") || !host.equals(fields[1])) {
                    return super.resolve(host);
                }
                byte[] address = InetAddress.getByName(fields[2]).getAddress();
                return new InetAddress[] {InetAddress.getByAddress(host, address)};
            }
        };
        RequestConfig.Builder settings = RequestConfig.custom()
            .setConnectTimeout(Integer.parseInt(fields[3])).setSocketTimeout(700);
        if (!fields[5].equals("-")) {
            settings.setProxy(new HttpHost(fields[5], 3128));
        }
        try (CloseableHttpClient client = HttpClients.custom()
                .setConnectionManager(new BasicHttpClientConnectionManager(sockets, null, null, resolver))
                .setRetryHandler(new DefaultHttpRequestRetryHandler(0, false))
                .setDefaultRequestConfig(settings.build())
                .build();
             CloseableHttpResponse response = client.execute(new HttpPost("https://" + fields[1] + "/"))) {
            return "\"status\": " + response.getStatusLine().getStatusCode();
        } catch (Exception problem) {
            StringBuilder causes = new StringBuilder();
            for (Throwable cause = problem.getCause(); cause != null && cause != cause.getCause(); cause = cause.getCause()) {
                causes.append(causes.length() > 0 ? ", " : "").append(quoted(cause.toString()));
            }
            return "\"class\": " + quoted(problem.getClass().getName()) + ", \"message\": " + quoted(problem.getMessage())
                + ", \"causes\": [" + causes + "]";
        }
    }

    private static String quoted(String text) {
        StringBuilder written = new StringBuilder("\"");
        for (char letter : String.valueOf(text).toCharArray()) {
            if (letter == '"' || letter == '\\') {
                written.append('\\').append(letter);
            } else if (letter < ' ') {
                written.append(String.format("\\u%04x", (int) letter));
            } else {
                written.append(letter);
            }
        }
        return written.append('"').toString();
    }
}
