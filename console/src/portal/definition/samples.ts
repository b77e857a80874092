/** A call written down in six languages. What is in it is quoted, whatever it is. */

export interface Sample {
  method: string;
  url: string;
  headers: [string, string][];
  body: string | undefined;
}

export const LANGUAGES = ['curl', 'Python', 'JavaScript', 'Java', 'C#', 'Go'] as const;
export type Language = (typeof LANGUAGES)[number];

export function sampleIn(language: Language, sample: Sample): string {
  return WRITERS[language](sample);
}

/** The escapes of JSON are ones of each of these languages. */
const quoted = (text: string) => JSON.stringify(text);
const shell = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const lines = (...parts: (string | false | undefined)[]) =>
  parts.filter((part) => typeof part === 'string').join('\n');

const WRITERS: Record<Language, (sample: Sample) => string> = {
  curl: ({ method, url, headers, body }) =>
    [
      method === 'GET' ? `curl ${shell(url)}` : `curl -X ${method} ${shell(url)}`,
      ...headers.map(([name, value]) => `-H ${shell(`${name}: ${value}`)}`),
      ...(body === undefined ? [] : [`--data ${shell(body)}`]),
    ].join(' \\\n  '),

  Python: ({ method, url, headers, body }) =>
    lines(
      'import requests',
      '',
      'response = requests.request(',
      `    ${quoted(method)},`,
      `    ${quoted(url)},`,
      headers.length > 0 && '    headers={',
      ...headers.map(([name, value]) => `        ${quoted(name)}: ${quoted(value)},`),
      headers.length > 0 && '    },',
      body !== undefined && `    data=${quoted(body)}.encode(),`,
      ')',
      'print(response.status_code, response.text)',
    ),

  JavaScript: ({ method, url, headers, body }) =>
    lines(
      `const response = await fetch(${quoted(url)}, {`,
      `  method: ${quoted(method)},`,
      headers.length > 0 && '  headers: {',
      ...headers.map(([name, value]) => `    ${quoted(name)}: ${quoted(value)},`),
      headers.length > 0 && '  },',
      body !== undefined && `  body: ${quoted(body)},`,
      '});',
      'console.log(response.status, await response.text());',
    ),

  Java: ({ method, url, headers, body }) =>
    lines(
      'import java.net.URI;',
      'import java.net.http.*;',
      '',
      'var request = HttpRequest.newBuilder()',
      `    .uri(URI.create(${quoted(url)}))`,
      ...headers.map(([name, value]) => `    .header(${quoted(name)}, ${quoted(value)})`),
      `    .method(${quoted(method)}, HttpRequest.BodyPublishers.${body === undefined ? 'noBody()' : `ofString(${quoted(body)})`})`,
      '    .build();',
      'var response = HttpClient.newHttpClient()',
      '    .send(request, HttpResponse.BodyHandlers.ofString());',
      'System.out.println(response.statusCode() + " " + response.body());',
    ),

  'C#': ({ method, url, headers, body }) => {
    const type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? 'text/plain';
    const others = headers.filter(([name]) => name.toLowerCase() !== 'content-type');
    return lines(
      'using var client = new HttpClient();',
      `using var request = new HttpRequestMessage(new HttpMethod(${quoted(method)}), ${quoted(url)});`,
      ...others.map(
        ([name, value]) => `request.Headers.TryAddWithoutValidation(${quoted(name)}, ${quoted(value)});`,
      ),
      body !== undefined && `request.Content = new StringContent(${quoted(body)});`,
      body !== undefined &&
        `request.Content.Headers.ContentType = System.Net.Http.Headers.MediaTypeHeaderValue.Parse(${quoted(type)});`,
      'using var response = await client.SendAsync(request);',
      'Console.WriteLine($"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}");',
    );
  },

  Go: ({ method, url, headers, body }) =>
    lines(
      'package main',
      '',
      'import (',
      '\t"fmt"',
      '\t"io"',
      '\t"net/http"',
      body !== undefined && '\t"strings"',
      ')',
      '',
      'func main() {',
      `\trequest, err := http.NewRequest(${quoted(method)}, ${quoted(url)}, ${body === undefined ? 'nil' : `strings.NewReader(${quoted(body)})`})`,
      '\tif err != nil {',
      '\t\tpanic(err)',
      '\t}',
      ...headers.map(([name, value]) => `\trequest.Header.Set(${quoted(name)}, ${quoted(value)})`),
      '\tresponse, err := http.DefaultClient.Do(request)',
      '\tif err != nil {',
      '\t\tpanic(err)',
      '\t}',
      '\tdefer response.Body.Close()',
      '\ttext, _ := io.ReadAll(response.Body)',
      '\tfmt.Println(response.StatusCode, string(text))',
      '}',
    ),
};
