/** A decision that a step waits for: what it asks, and yes or no. */
import { useState } from "preact/hooks";
import { post } from "../../api/client";
import type { Approval, Done, Question } from "../../api/types";
import { say } from "../../app/say";
import { session } from "../../app/session";
import { Confirm } from "../../ui/dialog";
import { Field } from "../../ui/field";
import { Text } from "../../ui/text";
import type { RunStore } from "./store";
import { answered, written } from "./values";

export function ApproveDialog({
  store,
  task,
  approval,
  approved,
  onClose,
}: {
  store: RunStore;
  task: string;
  approval: Approval;
  approved: boolean;
  onClose: () => void;
}) {
  const [comment, setComment] = useState("");
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>(() =>
    Object.fromEntries(
      approval.questions.map((question) => [
        question.name,
        question.hasDefault ? written(question.default) : question.type === "boolean" ? "false" : "",
      ]),
    ),
  );
  const [isTried, setTried] = useState(false);
  const found = approval.questions.map((question) => ({ question, ...answered(question, texts[question.name] ?? "") }));
  const carryOut = async () => {
    setTried(true);
    if (approved && found.some((each) => each.problem))
      throw new Error("Some answers are missing or of another kind: see above.");
    const inputs = Object.fromEntries(
      found.filter((each) => each.value !== undefined).map((each) => [each.question.name, each.value]),
    );
    const done = await post<Done>("run/approve", {
      ...store.which,
      task,
      approved,
      comment,
      inputs: approved ? inputs : {},
    });
    say(done.message);
  };
  return (
    <Confirm
      title={
        <>
          {approved ? "Approve" : "Reject"} <bdi>{task}</bdi>
        </>
      }
      verb={approved ? "Approve" : "Reject"}
      danger={!approved}
      onConfirm={carryOut}
      onClose={onClose}
    >
      {approval.message && (
        <p class="asked">
          <Text text={approval.message} />
        </p>
      )}
      <p>
        {approved ? "What waits for this step goes on." : "The step fails, and with it what waits for it."} It is signed
        with your name, <bdi>{session.value?.user}</bdi>.
      </p>
      {approved &&
        found.map(({ question, problem }) => (
          <Answer
            key={question.name}
            question={question}
            text={texts[question.name] ?? ""}
            problem={isTried ? problem : undefined}
            onType={(text) => setTexts({ ...texts, [question.name]: text })}
          />
        ))}
      <Field
        label="Comment"
        control={(props) => (
          <textarea
            {...props}
            class="input"
            rows={2}
            maxLength={1000}
            value={comment}
            onInput={(event) => setComment(event.currentTarget.value)}
          />
        )}
      />
    </Confirm>
  );
}

function Answer({
  question,
  text,
  problem,
  onType,
}: {
  question: Question;
  text: string;
  problem?: string;
  onType: (text: string) => void;
}) {
  const type = (event: { currentTarget: { value: string } }) => onType(event.currentTarget.value);
  const isBox = question.type === "boolean" && question.enum.length === 0;
  return (
    <Field
      label={<bdi>{question.name}</bdi>}
      needed={!question.hasDefault && !isBox}
      help={question.description && <Text text={question.description} />}
      problem={problem}
      control={(props) =>
        isBox ? (
          <input
            {...props}
            type="checkbox"
            checked={text === "true"}
            onChange={(event) => onType(String(event.currentTarget.checked))}
          />
        ) : question.enum.length > 0 ? (
          <select {...props} class="input" value={text} onChange={type}>
            {!question.hasDefault && <option value="">Choose…</option>}
            {question.enum.map((value) => (
              <option key={written(value)} value={written(value)}>
                {typeof value === "string" ? value : written(value)}
              </option>
            ))}
          </select>
        ) : question.type === "json" ? (
          <textarea {...props} class="input mono" rows={3} value={text} onInput={type} />
        ) : (
          <input
            {...props}
            class="input"
            inputMode={question.type === "string" ? "text" : "decimal"}
            value={text}
            onInput={type}
          />
        )
      }
    />
  );
}
